"""Questions to a child: answers, streams, cancelling, limits, and what its end and its junk do."""

import asyncio
import gc
import os
import signal
import struct
import sys
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace

import psutil
import pytest
import uvloop

from modules.errors import BadRequest, Busy
from modules.process.client import ProcessClient, ask_once
from modules.process.failures import (
    FrameTooLarge,
    ProcessClosed,
    ProcessDied,
    ProcessFailed,
    ProcessHung,
    ProtocolBroken,
    QuestionFailed,
    TimeLimitExceeded,
)
from modules.process.frames import FrameKind, pack
from modules.process.limits import ProcessLimits
from modules.process.spec import ErrorOutput, ProcessSpec
from tests.process.answering import Do, Done
from tests.processes import child_processes

SPEC = ProcessSpec(name="the answering child", entry="tests.process.answering:run")
HANGS = ["hang", "hang with the lock"] if sys.platform != "win32" else ["hang"]


@pytest.fixture(autouse=True)
def quick_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.process.heartbeat.TICK_SECONDS", 0.05)


@asynccontextmanager
async def child(spec: ProcessSpec = SPEC) -> AsyncIterator[ProcessClient[Done]]:
    client: ProcessClient[Done] = ProcessClient(spec, answers=Done)
    await client.start()
    try:
        yield client
    finally:
        await client.aclose()
        assert not psutil.pid_exists(client.pid)


async def counted(client: ProcessClient[Done], number: int) -> list[int]:
    async with aclosing(client.stream(Do("count", number))) as answers:
        return [answer.number async for answer in answers]


async def test_one_answer_many_and_none() -> None:
    async with child() as client:
        assert await client.ask(Do("echo", 7, b"\0\xff")) == Done(7, b"\0\xff")
        assert await counted(client, 300) == list(range(300))
        assert await counted(client, 0) == []
        with pytest.raises(QuestionFailed):
            await client.ask(Do("nothing"))
        assert client.is_alive


async def test_many_questions_at_once_are_not_crossed() -> None:
    async with child() as client:
        answers = await asyncio.gather(*(client.ask(Do("echo", number)) for number in range(100)))
        assert [answer.number for answer in answers] == list(range(100))


async def test_large_questions_and_answers() -> None:
    data = os.urandom(2**20) * 24
    async with child() as client:
        answers = await asyncio.gather(*(client.ask(Do("echo", number, data)) for number in range(3)))
        assert all(answer.data == data for answer in answers)


async def test_a_failure_is_of_its_question_alone() -> None:
    async with child() as client:
        with pytest.raises(QuestionFailed, match="ValueError") as failed:
            await client.ask(Do("fail"))
        assert "user wrote" not in str(failed.value)
        with pytest.raises(Busy) as busy:
            await client.ask(Do("busy"))
        assert busy.value.retry_after == 7
        for what, number in (("\ud800", 0), ("echo", 2**70)):
            with pytest.raises(BadRequest):
                await client.ask(Do(what, number))
        with pytest.raises(QuestionFailed, match="wrong type"):
            await client.ask({"what": 5})
        assert (await client.ask(Do("echo", 1))).number == 1


async def test_a_slow_reader_holds_the_child_up() -> None:
    """No more answers than the window wait, and other questions of the child are pinged all the same."""
    async with child() as client, aclosing(client.stream(Do("count", 10_000))) as answers:
        assert (await anext(answers)).number == 0
        pending = next(iter(client._pending.values()))
        while len(pending.answers) < 31:  # noqa: ASYNC110 - nobody is told of an answer but who reads it
            await asyncio.sleep(0.01)
        while psutil.Process(client.pid).status() != psutil.STATUS_SLEEPING:  # noqa: ASYNC110 - nor of a state
            await asyncio.sleep(0.01)
        assert len(pending.answers) <= 32
        assert [answer.number async for answer in answers] == list(range(1, 10_000))


async def test_closing_a_stream_cancels_the_question() -> None:
    async with child() as client:
        waiting = asyncio.create_task(client.ask(Do("wait")))
        async with aclosing(client.stream(Do("count", 10**9))) as answers:
            waiting.cancel()
            assert (await anext(answers)).number == 0
        assert (await client.ask(Do("echo", 5))).number == 5
        while client._pending:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("number", range(20))
async def test_cancelling_at_any_moment_leaves_the_child_usable(number: int) -> None:
    async with child() as client:
        for turns in range(number, number + 5):
            task = asyncio.create_task(counted(client, 100))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                assert await task == list(range(100))
        assert await counted(client, 3) == [0, 1, 2]


@pytest.mark.parametrize("seconds", [0, 0.2])
async def test_a_child_that_does_not_stop_is_killed(seconds: float) -> None:
    async with child(replace(SPEC, cancel_seconds=seconds)) as client:
        task = asyncio.create_task(client.ask(Do("spin")))
        assert not (await asyncio.wait([task], timeout=0.1))[0]
        task.cancel()
        await asyncio.wait([task])
        if seconds:
            with pytest.raises(ProcessHung):
                await client.ask(Do("echo"))
        assert not client.is_alive


async def test_a_time_limit_ends_the_process() -> None:
    async with child() as client:
        other = asyncio.create_task(client.ask(Do("echo")))
        await other
        with pytest.raises(TimeLimitExceeded):
            await client.ask(Do("spin"), seconds=0.2)
        assert not psutil.pid_exists(client.pid)
        with pytest.raises(ProcessFailed):
            await client.ask(Do("echo"))


async def test_a_process_that_is_not_ready_in_time_is_not_waited_for() -> None:
    before = child_processes()
    client: ProcessClient[Done] = ProcessClient(
        replace(SPEC, entry="tests.process.answering:run_without_reading", start_seconds=0.5), answers=Done
    )
    with pytest.raises(TimeLimitExceeded):
        await client.start()
    assert child_processes() == before


@pytest.mark.parametrize("entry", ["tests.process.no_such_module:run", "tests.process.answering:no_such_function"])
async def test_what_cannot_start_says_so(entry: str) -> None:
    client: ProcessClient[Done] = ProcessClient(replace(SPEC, entry=entry), answers=Done)
    with pytest.raises(ProcessDied):
        await client.start()


@pytest.mark.parametrize("how", HANGS)
async def test_a_stuck_thread_is_found(how: str) -> None:
    async with child() as client:
        with pytest.raises(ProcessHung):
            await client.ask(Do(how))


async def test_a_stopped_process_is_found() -> None:
    async with child() as client:
        os.kill(client.pid, signal.SIGSTOP)
        with pytest.raises(ProcessHung, match="does not respond"):
            await client.ask(Do("echo"))


async def test_every_question_ends_with_the_process() -> None:
    async with child() as client:
        questions = [asyncio.create_task(client.ask(Do("wait"))) for _ in range(3)]
        await client_is_asked(client, 3)
        os.kill(client.pid, signal.SIGKILL)
        endings = await asyncio.gather(*questions, return_exceptions=True)
        assert [getattr(ending, "exit_code", None) for ending in endings] == [-signal.SIGKILL] * 3
        with pytest.raises(ProcessDied):
            await client.ask(Do("echo"))


async def client_is_asked(client: ProcessClient[Done], count: int) -> None:
    while len(client._pending) < count:  # noqa: ASYNC110 - nobody is told
        await asyncio.sleep(0)


async def test_closing_ends_open_questions() -> None:
    async with child() as client:
        question = asyncio.create_task(client.ask(Do("wait")))
        await client_is_asked(client, 1)
        await client.aclose()
        with pytest.raises(ProcessClosed):
            await question
        with pytest.raises(ProcessClosed):
            await client.ask(Do("echo"))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space")
async def test_a_memory_bomb_ends_as_its_own_failure() -> None:
    async with child(replace(SPEC, limits=ProcessLimits(memory_bytes=2**29))) as client:
        with pytest.raises(QuestionFailed, match="MemoryError"):
            await client.ask(Do("grow"))
        assert (await client.ask(Do("echo", 3))).number == 3


async def test_a_memory_bomb_of_resident_memory_is_killed() -> None:
    limits = ProcessLimits(memory_bytes=2**28, is_resident=True)
    async with child(replace(SPEC, limits=limits)) as client:
        with pytest.raises(ProcessHung, match="memory"):
            await client.ask(Do("grow"))


JUNK = {
    "an unknown kind": struct.pack(">IBI", 0, 99, 0),
    "an oversized frame": struct.pack(">IBI", 2**31, FrameKind.ANSWER, 1),
    "noise": b"\xff" * 64,
    "an answer of a wrong type": bytes(pack(FrameKind.ANSWER, 1, "no such answer")),
    "an answer that is no MessagePack": struct.pack(">IBI", 3, FrameKind.ANSWER, 1) + b"\xc1" * 3,
    "a wrong pong": bytes(pack(FrameKind.PONG, 0, [1])),
}


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the pipe in /proc")
@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
async def test_junk_ends_the_child(junk: bytes) -> None:
    async with child() as client:
        with pytest.raises(ProtocolBroken):
            await client.ask(Do("write", data=junk))


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the pipe in /proc")
async def test_answers_to_unknown_questions_are_dropped() -> None:
    stray = bytes(pack(FrameKind.ANSWER, 99, "?") + pack(FrameKind.END, 99) + pack(FrameKind.FAILED, 98, 5))
    good = bytes(pack(FrameKind.ANSWER, 1, Done(4)) + pack(FrameKind.END, 1))
    async with child() as client:
        assert (await client.ask(Do("write", data=stray + good))).number == 4
        await client.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the pipe in /proc")
async def test_half_a_frame_is_no_answer() -> None:
    async with child() as client:
        with pytest.raises(ProcessDied):
            await client.ask(Do("half a frame"))


@pytest.mark.parametrize("junk", [b"\xff" * 64, struct.pack(">IBI", 2**31, FrameKind.ASK, 1), b"\0\0"])
async def test_junk_to_the_child_ends_it(junk: bytes) -> None:
    async with child() as client:
        client._child._process.write(junk)
        client._child._process.write(b"\xff" * 64)
        with pytest.raises(ProcessDied):
            await client.ask(Do("echo"))


async def test_frames_have_a_size() -> None:
    async with child(replace(SPEC, max_frame_bytes=1000)) as client:
        with pytest.raises(FrameTooLarge):
            await client.ask(Do("echo", data=bytes(1000)))
        assert client.is_alive


async def test_what_is_printed_is_no_frame_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with child() as client:
        await client.ask(Do("print", data=b"what a user wrote"))
    assert "user wrote" not in caplog.text
    async with child(replace(SPEC, error_output=ErrorOutput.LOG)) as client:
        await client.ask(Do("print", data=b"ERROR of a driver"))
    assert [(r.levelname, r.message) for r in caplog.records if "driver" in r.message] == [
        ("ERROR", "the answering child: of a driver")
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="process groups")
@pytest.mark.parametrize("ending", ["closed", "killed from outside", "one question"])
async def test_what_it_started_goes_with_it(ending: str) -> None:
    started: list[psutil.Process] = []
    client: ProcessClient[Done] = ProcessClient(SPEC, answers=Done)
    await client.start()
    async with aclosing(client.stream(Do("grandchildren"))) as answers:
        while len(started) < 2:
            started.append(psutil.Process((await anext(answers)).number))
        if ending == "killed from outside":
            # Who left the group is found only by who kills the process itself.
            started.pop().kill()
            os.kill(client.pid, signal.SIGKILL)
        else:
            await client.kill()
    await client.aclose()
    assert psutil.wait_procs(started, timeout=10)[1] == []


@pytest.mark.skipif(sys.platform == "win32", reason="process groups")
async def test_one_question_leaves_nothing() -> None:
    before = child_processes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = await ask_once(SPEC, Do("echo", 3), Done, seconds=30)
        with pytest.raises(TimeLimitExceeded):
            await ask_once(SPEC, Do("grandchildren"), Done, seconds=0)
        gc.collect()
    assert answer.number == 3
    assert child_processes() == before


async def test_it_is_nice_and_knows_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_TESTS", "x")
    async with child(replace(SPEC, limits=ProcessLimits(niceness=3))) as client:
        assert await client.ask(Do("niceness")) == Done(os.nice(0) + 3)
        if sys.platform == "linux":
            with open(f"/proc/{client.pid}/oom_score_adj") as file:  # noqa: ASYNC230 - of the system, not of a disk
                assert int(file.read()) >= 300


@pytest.mark.skipif(sys.platform != "linux", reason="counts what is in /proc")
@pytest.mark.parametrize("rounds", [2, pytest.param(40, marks=pytest.mark.extended)])
@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_starts_and_ends_leave_nothing(make_loop: Callable[[], asyncio.AbstractEventLoop], rounds: int) -> None:
    async def several() -> None:
        await asyncio.gather(*(one(number) for number in range(5)))

    async def one(number: int) -> None:
        client: ProcessClient[Done] = ProcessClient(SPEC, answers=Done)
        await client.start()
        assert (await client.ask(Do("echo", number))).number == number
        await (client.kill() if number % 2 else client.aclose())

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(several())
        before = len(os.listdir("/proc/self/fd")), child_processes()
        for _ in range(rounds):
            runner.run(several())
        assert (len(os.listdir("/proc/self/fd")), child_processes()) == before
