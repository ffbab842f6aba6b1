"""An engine on a thread: many at once, nothing crossed, closing frees, and a broken backend tells everybody."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from threading import enumerate as running_threads

import pytest
from typing_extensions import override

from modules.backends.scripted.backend import ScriptedBackend
from modules.engine.protocols import Output
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Chunk, Finish
from modules.errors import BadRequest, Busy, EngineFailed
from tests.scripted import scripted_engine, scripted_spec
from tests.streams import asking, chunks_of, reply, whole


class WatchedBackend(ScriptedBackend):
    """Counts the steps it took without work, and knows whether it was closed."""

    idle_steps = 0
    is_closed = False

    @override
    def step(self) -> Iterable[Output]:
        if not self.has_work:
            self.idle_steps += 1
            return ()
        return super().step()

    @override
    def close(self) -> None:
        self.is_closed = True
        super().close()


class SpoilingBackend(ScriptedBackend):
    """Fails the second job it gets, and only that one."""

    @override
    def step(self) -> Iterable[Output]:
        return [
            Output(job_id=2, error="no room for this one") if output.job_id == 2 else output
            for output in super().step()
        ]


async def stalled(engine: ThreadedEngine) -> AsyncGenerator[Chunk, None]:
    """A stream whose job holds a place for good."""
    stream = engine.generate(asking("stall"))
    await anext(stream)
    return stream


async def rest_of(stream: AsyncGenerator[Chunk, None]) -> list[Chunk]:
    return [chunk async for chunk in stream]


async def test_a_reply_is_the_same_in_pieces_and_whole() -> None:
    async with scripted_engine() as engine:
        pieces = await chunks_of(engine, asking("echo: Grüße 🙂"))
        assert "".join(piece.text for piece in pieces) == "Grüße 🙂"
        assert pieces[-1].finish is Finish.STOP


async def test_many_at_once_are_not_crossed() -> None:
    async with scripted_engine(scripted_spec(parallel=8, max_queue=128)) as engine:
        texts = [f"text number {number}" for number in range(100)]
        assert await asyncio.gather(*(reply(engine, f"echo: {text}") for text in texts)) == texts


async def test_closing_a_stream_gives_its_place_to_who_waits() -> None:
    async with scripted_engine(scripted_spec(parallel=1)) as engine:
        stream = await stalled(engine)
        waiting = asyncio.create_task(reply(engine, "echo: my turn"))
        await asyncio.sleep(0)
        assert not waiting.done()
        await stream.aclose()
        assert await waiting == "my turn"


async def test_closing_a_stream_that_still_waits_leaves_the_line() -> None:
    async with scripted_engine(scripted_spec(parallel=1)) as engine:
        first = await stalled(engine)
        async with aclosing(engine.generate(asking("echo: never read"))) as second:
            waiting = asyncio.ensure_future(anext(second))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        third = asyncio.create_task(reply(engine, "echo: third"))
        await first.aclose()
        assert await third == "third"


async def test_beyond_the_queue_is_busy() -> None:
    async with scripted_engine(scripted_spec(parallel=1, max_queue=1)) as engine:
        first = await stalled(engine)
        second = asyncio.create_task(reply(engine, "echo: second"))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await reply(engine, "echo: third")
        await first.aclose()
        assert await second == "second"


async def test_a_refused_job_hurts_nobody() -> None:
    async with scripted_engine() as engine:
        with pytest.raises(BadRequest):
            await whole(engine, asking(""))
        assert await reply(engine, "echo: fine") == "fine"


async def test_an_error_of_one_job_ends_that_job_alone() -> None:
    engine = ThreadedEngine(SpoilingBackend(scripted_spec()))
    results = await asyncio.gather(
        *(reply(engine, f"echo: {number}") for number in range(3)),
        return_exceptions=True,
    )
    assert [results[0], results[2]] == ["0", "2"]
    assert isinstance(results[1], EngineFailed)
    assert engine.is_alive
    await engine.aclose()


async def test_a_backend_that_breaks_ends_every_stream_and_the_engine() -> None:
    backend = WatchedBackend(scripted_spec())
    engine = ThreadedEngine(backend)
    streams = [await stalled(engine) for _ in range(3)]
    with pytest.raises(EngineFailed):
        await reply(engine, "fail")
    for stream in streams:
        with pytest.raises(EngineFailed):
            await rest_of(stream)
    assert not engine.is_alive
    with pytest.raises(EngineFailed):
        await reply(engine, "echo: too late")
    with pytest.raises(EngineFailed):
        await engine.tokenize("too late", special=False)
    with pytest.raises(EngineFailed):
        await engine.detokenize([1])
    assert not backend.is_closed, "who was about to ask for tokens may still be asking"
    await engine.aclose()
    assert backend.is_closed


async def test_unloading_ends_open_streams_and_the_thread() -> None:
    backend = WatchedBackend(scripted_spec(name="short-lived"))
    engine = ThreadedEngine(backend)
    stream = await stalled(engine)
    await engine.aclose()
    with pytest.raises(EngineFailed, match="unloaded"):
        await rest_of(stream)
    assert not engine.is_alive
    assert backend.is_closed
    assert not [thread for thread in running_threads() if thread.name == "engine short-lived"]
    await engine.aclose()


async def test_tokens_are_counted_while_a_job_runs() -> None:
    async with scripted_engine() as engine:
        stream = await stalled(engine)
        assert await engine.tokenize("né", special=False) == list("né".encode())
        assert await engine.detokenize(list("né".encode())) == "né"
        await stream.aclose()


async def test_an_idle_engine_does_nothing() -> None:
    backend = WatchedBackend(scripted_spec())
    engine = ThreadedEngine(backend)
    assert await reply(engine, "echo: x") == "x"
    for _ in range(50):
        await engine.tokenize("time passes", special=False)
    await engine.aclose()
    assert backend.idle_steps == 0
