"""An engine in a child process: what it answers, and what is left of it when it dies."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import psutil
import pytest

from modules.engine.process import ProcessEngine
from modules.engine.types import Chunk, Finish
from modules.errors import BadRequest, Busy, EngineFailed, LoadFailed
from tests.processes import child_processes
from tests.scripted import scripted_spec
from tests.streams import asking, chunks_of, reply, whole

# A process that is gone is noticed at once; only one that is silent is waited for.
SECONDS_TO_NOTICE = 30
COUNTED = 200


@asynccontextmanager
async def loaded(**changes: Any) -> AsyncIterator[ProcessEngine]:
    engine = await ProcessEngine.probe(scripted_spec(**changes))
    await engine.load(lambda fraction: None)
    try:
        yield engine
    finally:
        await engine.aclose()
        assert not psutil.pid_exists(engine.pid)


async def stalled(engine: ProcessEngine) -> AsyncGenerator[Chunk, None]:
    """A stream whose job never ends by itself."""
    stream = engine.generate(asking("stall"))
    await anext(stream)
    return stream


async def last_words(stream: AsyncGenerator[Chunk, None]) -> EngineFailed:
    """The error that ends the stream, in time."""
    with pytest.raises(EngineFailed) as caught:
        await asyncio.wait_for(rest_of(stream), SECONDS_TO_NOTICE)
    return caught.value


async def rest_of(stream: AsyncGenerator[Chunk, None]) -> list[Chunk]:
    return [chunk async for chunk in stream]


async def test_probing_tells_of_the_model_before_it_is_loaded() -> None:
    engine = await ProcessEngine.probe(scripted_spec())
    assert engine.card.loader == "scripted"
    assert not engine.is_alive
    with pytest.raises(EngineFailed):
        await reply(engine, "echo: too early")
    await engine.aclose()
    assert not psutil.pid_exists(engine.pid)


async def test_loading_reports_its_progress() -> None:
    engine = await ProcessEngine.probe(scripted_spec())
    heard: list[float] = []
    await engine.load(heard.append)
    assert heard == [1.0]
    assert engine.is_alive
    await engine.aclose()


async def test_replies_questions_and_refusals() -> None:
    async with loaded() as engine:
        pieces = await chunks_of(engine, asking("echo: Grüße 🙂", logprobs=1))
        assert "".join(piece.text for piece in pieces) == "Grüße 🙂"
        assert pieces[-1].finish is Finish.STOP
        assert await engine.tokenize("<|im_end|>", special=True) == [257]
        assert await engine.detokenize([257]) == "<|im_end|>"
        with pytest.raises(BadRequest) as refused:
            await whole(engine, asking(""))
        assert refused.value.param == "prompt"
        with pytest.raises(BadRequest):
            await engine.detokenize([99_999])


async def test_many_streams_are_not_crossed() -> None:
    async with loaded(parallel=8, max_queue=128) as engine:
        texts = [f"text {number} " * 5 for number in range(64)]
        answers = await asyncio.gather(*(reply(engine, f"echo: {text}") for text in texts))
        assert answers == [text.strip() for text in texts]


async def test_closing_a_stream_gives_its_place_to_who_waits() -> None:
    async with loaded(parallel=1, max_queue=1) as engine:
        first = await stalled(engine)
        second = asyncio.create_task(reply(engine, "echo: my turn"))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await reply(engine, "echo: third")
        await first.aclose()
        assert await second == "my turn"


async def test_tokens_are_counted_while_replies_are_made() -> None:
    async with loaded() as engine, aclosing(engine.generate(asking("slow 500"))) as stream:
        await anext(stream)
        for number in range(COUNTED):
            assert await engine.tokenize(str(number), special=False) == list(str(number).encode())
        # If each had waited for a step, there would be a token for each. They are joined while nobody reads them.
        said = await anext(stream)
        assert len(said.tokens) < COUNTED / 2


@pytest.mark.parametrize("cause", ["crash", "fail", "kill -9"])
async def test_a_death_ends_every_stream_soon_and_leaves_no_child(cause: str) -> None:
    async with loaded() as engine:
        streams = [await stalled(engine) for _ in range(5)]
        if cause == "kill -9":
            os.kill(engine.pid, signal.SIGKILL)
        else:
            streams.append(engine.generate(asking(cause)))
        endings = await asyncio.gather(*map(last_words, streams))
        assert all("model process ended" in ending.message for ending in endings)
        assert not engine.is_alive
        with pytest.raises(EngineFailed):
            await reply(engine, "echo: too late")
        with pytest.raises(EngineFailed):
            await engine.tokenize("too late", special=False)
    assert not child_processes() & {engine.pid}


async def test_a_question_that_a_death_interrupts_is_answered_with_it() -> None:
    async with loaded() as engine:
        os.kill(engine.pid, signal.SIGSTOP)
        question = asyncio.create_task(engine.tokenize("unanswered", special=False))
        await asyncio.sleep(0)
        os.kill(engine.pid, signal.SIGKILL)
        with pytest.raises(EngineFailed):
            await asyncio.wait_for(question, SECONDS_TO_NOTICE)


async def test_unloading_ends_open_streams_and_says_so() -> None:
    async with loaded() as engine:
        stream = await stalled(engine)
        await engine.aclose()
        assert "unloaded" in (await last_words(stream)).message
        assert not engine.is_alive
        await engine.aclose()


async def test_a_frozen_child_is_killed_when_it_does_not_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.engine.process._CLOSE_SECONDS", 0.1)
    async with loaded() as engine:
        os.kill(engine.pid, signal.SIGSTOP)


async def test_an_unknown_loader_is_a_load_error_that_leaves_no_child() -> None:
    before = child_processes()
    with pytest.raises(LoadFailed, match="no loader named 'nonsense'"):
        await ProcessEngine.probe(scripted_spec(loader="nonsense"))
    assert child_processes() == before


async def test_a_loader_that_dies_is_a_load_error() -> None:
    engine = await ProcessEngine.probe(scripted_spec())
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(LoadFailed, match="crashed"):
        await engine.load(lambda fraction: None)
    assert not psutil.pid_exists(engine.pid)


async def test_a_loader_that_died_while_the_old_model_was_given_up_is_a_load_error() -> None:
    engine = await ProcessEngine.probe(scripted_spec())
    os.kill(engine.pid, signal.SIGKILL)
    while psutil.pid_exists(engine.pid):  # noqa: ASYNC110 - asyncio reaps the child and tells nobody
        await asyncio.sleep(0.01)
    with pytest.raises(LoadFailed, match="crashed"):
        await asyncio.wait_for(engine.load(lambda fraction: None), SECONDS_TO_NOTICE)


async def test_cancelling_a_probe_leaves_no_child() -> None:
    before = child_processes()
    probing = asyncio.create_task(ProcessEngine.probe(scripted_spec()))
    while not child_processes() - before:  # noqa: ASYNC110 - the task that would tell is the one to be cancelled
        await asyncio.sleep(0)
    probing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probing
    assert child_processes() == before


@pytest.mark.parametrize("text", ["\ud800", "a\udc80b", "\0", "x" * 100_000, ""])
async def test_any_text_can_be_tokenised(text: str) -> None:
    async with loaded() as engine:
        assert await engine.tokenize(text, special=True) == list(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("stop", ["\ud800"])
async def test_what_cannot_be_sent_is_refused_and_takes_no_place(stop: str) -> None:
    async with loaded(parallel=1, max_queue=0) as engine:
        for fields in ({"stop": (stop,)}, {"stop_token_ids": (10**30,)}):
            with pytest.raises(BadRequest):
                await whole(engine, asking("echo: x", **fields))
        with pytest.raises(BadRequest):
            await engine.detokenize([10**30])
        assert await reply(engine, "echo: a place is free") == "a place is free"


@pytest.mark.skipif(os.name != "posix", reason="niceness of POSIX systems")
async def test_a_model_process_lets_others_go_first() -> None:
    async with loaded() as engine:
        assert psutil.Process(engine.pid).nice() > psutil.Process().nice()


async def test_an_idle_child_uses_no_processor() -> None:
    async with loaded() as engine:
        assert await reply(engine, "echo: x") == "x"
        child = psutil.Process(engine.pid)
        # What it still has to do after its start may fall into one stretch of time, but not into each.
        assert min([await cpu_seconds(child, 0.5) for _ in range(4)]) < 0.02


async def cpu_seconds(process: psutil.Process, seconds: float) -> float:
    """What it spends in the next `seconds`."""
    before = process.cpu_times()
    await asyncio.sleep(seconds)
    after = process.cpu_times()
    return float(after.user + after.system - before.user - before.system)
