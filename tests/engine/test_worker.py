"""The model process by itself: its pipes are its own, and it does not outlive its parent."""

import asyncio
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGINT

import pytest

from modules.engine import wire
from modules.engine.process import ProcessEngine
from modules.engine.types import Job
from modules.errors import EngineFailed, LoadFailed
from modules.process.frames import HEADER_BYTES, FrameKind, pack
from modules.process.spec import ProcessSpec
from tests.processes import child_processes
from tests.scripted import scripted_spec
from tests.streams import asking, reply

ROOT = Path(__file__).resolve().parents[2]
SPEC = ProcessSpec(name="model process", entry="modules.backends.serving:run")


async def used(command: Sequence[str]) -> str:
    """Load a model in the child that `command` starts, and ask it something."""
    engine = await ProcessEngine.probe(scripted_spec(), command=command)
    await engine.load(lambda fraction: None)
    return await reply(engine, "echo: x")


@asynccontextmanager
async def worker() -> AsyncIterator[Process]:
    """A child that speaks the wire's protocol; killed if it is still there at the end."""
    process = await asyncio.create_subprocess_exec(
        *SPEC.launch_command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd=ROOT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def told(process: Process, message: wire.ToWorker) -> None:
    assert process.stdin is not None
    process.stdin.write(wire.pack_to_worker(message))
    await process.stdin.drain()


async def asked_to_close(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write(pack(FrameKind.CLOSE))
    await process.stdin.drain()


async def heard(process: Process) -> wire.FromWorker:
    assert process.stdout is not None
    header = await process.stdout.readexactly(HEADER_BYTES)
    (length,) = struct.unpack_from(">I", header)
    return wire.unpack_from_worker().decode(await process.stdout.readexactly(length))


async def loaded(process: Process) -> None:
    await told(process, wire.ProbeModel(scripted_spec()))
    assert isinstance(await heard(process), wire.ModelReady)
    await told(process, wire.LoadModel())
    assert isinstance(await heard(process), wire.LoadProgress)
    assert isinstance(await heard(process), wire.ModelReady)


async def test_what_a_library_prints_does_not_get_between_frames() -> None:
    engine = await ProcessEngine.probe(scripted_spec(), command=(sys.executable, "-m", "tests.engine.noisy_worker"))
    await engine.load(lambda fraction: None)
    assert await engine.tokenize("abc", special=False) == list(b"abc")
    assert await engine.detokenize(list(b"abc")) == "abc"
    texts = [f"undisturbed {number}" for number in range(5)]
    assert await asyncio.gather(*(reply(engine, f"echo: {text}") for text in texts)) == texts
    await engine.aclose()


async def test_the_worker_ends_with_its_parent_even_while_it_works() -> None:
    async with worker() as process:
        await loaded(process)
        await told(process, wire.Submit(Job(1, asking("stall"))))
        assert isinstance(await heard(process), wire.JobChunks)
        assert process.stdin is not None
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 5) == 0


async def test_ctrl_c_is_left_to_the_parent() -> None:
    async with worker() as process:
        await loaded(process)
        process.send_signal(SIGINT)
        await told(process, wire.Encode(1, b"still here", special=False))
        assert isinstance(await heard(process), wire.Encoded)


async def test_a_worker_that_is_closed_before_loading_just_ends() -> None:
    async with worker() as process:
        await told(process, wire.ProbeModel(scripted_spec()))
        assert isinstance(await heard(process), wire.ModelReady)
        await asked_to_close(process)
        assert await asyncio.wait_for(process.wait(), 5) == 0


async def test_an_unanswerable_question_leaves_the_others_their_answers() -> None:
    async with worker() as process:
        await loaded(process)
        await told(process, wire.Decode(1, [999]))
        await told(process, wire.Encode(2, b"a", special=False))
        assert isinstance(await heard(process), wire.Unanswerable)
        assert await heard(process) == wire.Encoded(2, [97])


@pytest.mark.parametrize("moment", ["probe", "load", "job"])
async def test_junk_from_the_worker_is_refused_and_never_run(moment: str, tmp_path: Path) -> None:
    trace, before = tmp_path / "trace", child_processes()
    command = (sys.executable, "-m", "tests.engine.rogue_worker", moment, str(trace))
    with pytest.raises(EngineFailed if moment == "job" else LoadFailed):
        await asyncio.wait_for(used(command), 30)
    assert not trace.exists()
    assert child_processes() == before


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff" * 300,
        struct.pack(">IBI", 2**31, FrameKind.MESSAGE, 0),
        struct.pack(">IBI", 3, 200, 0) + b"abc",
        struct.pack(">IBI", 3, FrameKind.MESSAGE, 0) + b"\xc1\xc1\xc1",
        pack(FrameKind.MESSAGE, 0, {"type": "Submit", "job": "none"}),
        pack(FrameKind.MESSAGE, 0, ["LoadModel", 1, 2, 3]),
        pack(FrameKind.MESSAGE, 0, "text"),
    ],
    ids=["bytes", "length", "kind", "no MessagePack", "ill-typed", "list", "text"],
)
@pytest.mark.parametrize("is_loaded", [False, True])
async def test_junk_from_the_parent_ends_the_worker(junk: bytes, is_loaded: bool) -> None:
    """It says so by its exit code, and neither hangs nor goes on with what it cannot understand."""
    async with worker() as process:
        if is_loaded:
            await loaded(process)
            await told(process, wire.Submit(Job(1, asking("stall"))))
        assert process.stdin is not None
        process.stdin.write(junk)
        await process.stdin.drain()
        assert await asyncio.wait_for(process.wait(), 60) != 0
