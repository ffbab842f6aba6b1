"""A model process that is alive and does nothing is found while it owes an answer, and ends with its parent."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import psutil
import pytest

from modules.engine.process import ProcessEngine
from modules.errors import EngineFailed, LoadFailed
from tests.processes import child_processes
from tests.scripted import scripted_spec
from tests.streams import asking, reply, whole

ROOT: Final = Path(__file__).resolve().parents[2]
SURVIVED_TICKS: Final = 5


@pytest.fixture(autouse=True)
def quick_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found within twenty ticks is found sooner, so that the tests are."""
    monkeypatch.setattr("modules.process.heartbeat.TICK_SECONDS", 0.05)


def hanging(way: str) -> tuple[str, ...]:
    return sys.executable, "-m", "tests.engine.hanging_worker", way


@asynccontextmanager
async def loaded(way: str = "") -> AsyncIterator[ProcessEngine]:
    engine = await ProcessEngine.probe(scripted_spec(), command=hanging(way))
    await engine.load(lambda fraction: None)
    try:
        yield engine
    finally:
        await engine.aclose()
        assert not psutil.pid_exists(engine.pid)


def stop(engine: ProcessEngine) -> None:
    """All of its threads, which takes a moment."""
    os.kill(engine.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, engine.pid, os.WSTOPPED | os.WNOWAIT)


@pytest.mark.parametrize("is_owing", [True, False], ids=["in a reply", "idle"])
async def test_a_stopped_process_ends_its_streams_with_an_error(is_owing: bool) -> None:
    async with loaded() as engine:
        streams = [asyncio.create_task(whole(engine, asking("stall"))) for _ in range(3)] if is_owing else []
        assert await reply(engine, "echo: before") == "before"
        stop(engine)
        streams.append(asyncio.create_task(whole(engine, asking("echo: after"))))
        question = asyncio.create_task(engine.tokenize("x", special=False))
        endings = await asyncio.gather(*streams, question, return_exceptions=True)
        assert {type(ending) for ending in endings} == {EngineFailed}
        assert all("did not respond" in str(ending) for ending in endings)
        assert not engine.is_alive
        with pytest.raises(EngineFailed):
            await reply(engine, "echo: too late")


async def test_a_short_stop_loses_nothing() -> None:
    async with loaded() as engine:
        stream = engine.generate(asking("count 200"))
        first = await anext(stream)
        stop(engine)
        question = asyncio.create_task(engine.tokenize("x", special=False))
        while engine._child._heartbeat._watchdog._silent < SURVIVED_TICKS:  # noqa: ASYNC110 - nobody is told of a tick
            await asyncio.sleep(0.01)
        assert not question.done()
        os.kill(engine.pid, signal.SIGCONT)
        rest = [chunk async for chunk in stream]
        assert first.text + "".join(chunk.text for chunk in rest) == " ".join(map(str, range(1, 201)))
        assert await question == [ord("x")]


@pytest.mark.parametrize("way", ["step", "step with the lock"])
async def test_a_stuck_step_is_found(way: str) -> None:
    async with loaded(way) as engine:
        other = asyncio.create_task(whole(engine, asking("stall")))
        with pytest.raises(EngineFailed, match="did not respond"):
            await reply(engine, "echo: so far!")
        with pytest.raises(EngineFailed, match="did not respond"):
            await other


async def test_a_stuck_tokenizer_is_found() -> None:
    async with loaded("tokenizer") as engine:
        assert await engine.tokenize("fine", special=False) == list(b"fine")
        with pytest.raises(EngineFailed, match="did not respond"):
            await engine.tokenize("hang", special=False)


@pytest.mark.parametrize("way", ["probe", "load"])
async def test_a_stuck_load_is_found(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.process.heartbeat.STILL_LOADING_TICKS", 20)
    before = child_processes()
    with pytest.raises(LoadFailed, match="did not get on"):
        async with loaded(way):
            pass
    assert child_processes() == before


async def test_a_load_that_takes_long_is_cancelled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by being killed after some time."""
    monkeypatch.setattr("modules.process.heartbeat.TICK_SECONDS", 1000)
    monkeypatch.setattr("modules.engine.process._CLOSE_SECONDS", 1000)
    engine = await ProcessEngine.probe(scripted_spec(), command=hanging("load"))
    has_begun = asyncio.Event()
    loading = asyncio.create_task(engine.load(lambda fraction: has_begun.set()))
    await has_begun.wait()
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert not psutil.pid_exists(engine.pid)


PARENT: Final = """
import asyncio, sys
from modules.engine.process import ProcessEngine
from tests.engine.test_hangs import hanging
from tests.scripted import scripted_spec
from tests.streams import asking, whole

async def main():
    engine = await ProcessEngine.probe(scripted_spec(), command=hanging(sys.argv[1]))
    await engine.load(lambda fraction: None)
    print(engine.pid, flush=True)
    await whole(engine, asking("echo: so far!" if sys.argv[1] else "stall"))

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can end a process that is stuck")
@pytest.mark.parametrize("way", ["", "stopped", "step", "step with the lock"])
def test_no_process_outlives_a_killed_parent(way: str) -> None:
    command = [sys.executable, "-c", PARENT, way if way != "stopped" else ""]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        if way == "stopped":
            child.send_signal(signal.SIGSTOP)
        parent.kill()
    gone, alive = psutil.wait_procs([child], timeout=10)
    assert (gone, alive) == ([child], [])


WHOLE_PROGRAM: Final = """
import asyncio
from modules.engine.process import ProcessEngine
from modules.process import heartbeat
from tests.scripted import scripted_spec
from tests.streams import asking

heartbeat.TICK_SECONDS = 0.05

async def main():
    engine = await ProcessEngine.probe(scripted_spec())
    await engine.load(lambda fraction: None)
    said = ""
    async for chunk in engine.generate(asking("slow 100")):
        if chunk.text and not said:
            print(engine.pid, flush=True)
        said += chunk.text
    print(said, flush=True)
    await engine.aclose()

asyncio.run(main())
"""


def test_a_stop_of_the_whole_program_loses_nothing() -> None:
    """For much longer than a model process that is stopped alone is given."""
    with subprocess.Popen([sys.executable, "-c", WHOLE_PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        program = [parent.pid, int(parent.stdout.readline())]
        for pid in program:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(3)
        for pid in program:
            os.kill(pid, signal.SIGCONT)
        assert parent.stdout.read().strip() == "".join(chr(ord("a") + number % 26) for number in range(100))
    assert parent.returncode == 0
