"""Limits of time and lives that depend on one another: parents that die, programs that run beside, stops of everything."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil
import pytest

from modules.process.failures import TimeLimitExceeded
from modules.process.program import SupervisedProgram
from modules.process.spec import ErrorOutput, ProcessSpec, harmless_environment
from modules.process.time_limit import TimeLimit
from tests.processes import child_processes

ROOT: Final = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shells and signals of POSIX systems")

PARENT: Final = """
import asyncio, sys
from modules.process.client import ProcessClient
from modules.process.program import SupervisedProgram
from modules.process.spec import ProcessSpec
from tests.process.answering import Do, Done

async def main():
    client = ProcessClient(ProcessSpec(name="child", entry="tests.process.answering:run"), answers=Done)
    await client.start()
    program = SupervisedProgram(ProcessSpec(name="program", command=("sh", "-c", "echo started; exec sleep 600")))
    async with program:
        await program.next_line()
        print(client.pid, program.pid, flush=True)
        await client.ask(Do(sys.argv[1]))

asyncio.run(main())
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux can end a process that is stuck, or knows nothing of us"
)
@pytest.mark.parametrize("what", ["wait", "hang", "hang with the lock"])
def test_children_end_with_a_parent_that_is_killed(what: str) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, what], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert psutil.wait_procs(children, timeout=10)[1] == []


def shell(script: str, **fields: object) -> ProcessSpec:
    return ProcessSpec(name="the shell", command=("sh", "-c", script), **fields)  # type: ignore[arg-type]


async def test_lines_of_a_program_are_read_until_its_end() -> None:
    script = "echo one; printf 'two\\r\\n'; printf la; echo three >&2; printf st; exit 3"
    async with SupervisedProgram(shell(script, error_output=ErrorOutput.OUTPUT)) as program:
        lines = []
        while (line := await program.next_line()) is not None:
            lines.append(line)
        assert sorted(lines) == ["last", "one", "three", "two"]
        assert program.exit_code == 3
        assert not program.is_running


async def test_a_program_runs_in_its_folder(tmp_path: Path) -> None:
    async with SupervisedProgram(shell("pwd -P", folder=tmp_path)) as program:
        assert await program.next_line() == await asyncio.to_thread(os.path.realpath, tmp_path)


async def test_a_program_that_nobody_reads_does_not_wait() -> None:
    async with SupervisedProgram(
        shell("seq 100000; echo done >&2; exec sleep 60", error_output=ErrorOutput.OUTPUT)
    ) as program:
        while await program.next_line() != "done":
            pass
        assert program.is_running


@pytest.mark.parametrize("script", ["exec sleep 600", "trap '' TERM; echo deaf; while :; do sleep 1; done"])
async def test_a_program_ends_with_its_block(script: str) -> None:
    before = child_processes()
    async with SupervisedProgram(shell(f"sleep 601 & {script}", close_seconds=0.3)) as program:
        if "deaf" in script:
            assert await program.next_line() == "deaf"
        started = psutil.Process(program.pid).children(recursive=True)
    assert psutil.wait_procs(started, timeout=10)[1] == []
    assert child_processes() <= before


async def test_a_program_that_is_not_there_just_ends() -> None:
    spec = ProcessSpec(name="nothing", command=("no-such-program-here",))
    async with SupervisedProgram(spec) as program:
        assert await program.next_line() is None
        assert program.exit_code == 127


async def test_a_limit_counts_waiting_only() -> None:
    limit, loop = TimeLimit(0.2), asyncio.get_running_loop()
    never: asyncio.Future[None] = loop.create_future()
    # What the caller does in between is not counted, nor is more than one step of a time when this program stood still.
    soon: asyncio.Future[None] = loop.create_future()
    loop.call_soon(time.sleep, 0.5)
    loop.call_later(0, soon.set_result, None)
    await limit.wait(soon)
    assert limit._left > 0.1
    with pytest.raises(TimeLimitExceeded, match=r"0\.2 seconds"):
        await limit.wait(never)
    with pytest.raises(TimeLimitExceeded):
        await limit.wait(never)


async def test_a_limit_of_work_counts_what_was_worked() -> None:
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def looks(worked: Callable[[int], float]) -> int:
        numbers = itertools.count()
        with pytest.raises(TimeLimitExceeded, match=r"0\.02 seconds"):
            await TimeLimit(0.02, lambda: worked(next(numbers))).wait(never)
        return next(numbers)

    # One second at each look; and none, as on a machine that is busy with other things.
    assert await looks(float) < 5
    idle = await looks(lambda _: 0.0)
    assert 50 < idle < 250


async def test_a_limit_that_is_none_never_ends() -> None:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    await TimeLimit(None).wait(done)
    await TimeLimit(0).wait(done)


STOPPED: Final = """
import asyncio
from modules.process.client import ProcessClient
from modules.process.spec import ProcessSpec
from tests.process.answering import Do, Done

async def main():
    client = ProcessClient(ProcessSpec(name="child", entry="tests.process.answering:run"), answers=Done)
    await client.start()
    asked = asyncio.create_task(client.ask(Do("nap", 1000), seconds=2))
    await asyncio.sleep(0.1)
    print(client.pid, flush=True)
    print((await asked).number, flush=True)
    await client.aclose()

asyncio.run(main())
"""


def test_a_stop_of_the_whole_program_uses_no_limit_up() -> None:
    with subprocess.Popen([sys.executable, "-c", STOPPED], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        family = [parent.pid, int(parent.stdout.readline())]
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(2.5)
        for pid in family:
            os.kill(pid, signal.SIGCONT)
        assert parent.stdout.read() == "1000\n"


def test_keys_are_not_among_the_harmless_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENEDAI_API_KEY", "HF_TOKEN", "HOME", "PYTHONPATH"):
        monkeypatch.setenv(name, "secret")
    assert "secret" not in harmless_environment().values()
    assert "PATH" in harmless_environment()
