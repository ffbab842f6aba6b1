"""A stream per job: news goes to whom it concerns, closing cancels, and the queue has an end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from modules.engine.streams import RequestStreams
from modules.engine.types import Chunk, Finish, Generation, Job, Prompt
from modules.errors import BadRequest, Busy, EngineFailed

QUESTION = Generation(prompt=Prompt((1,)))
HELLO = Chunk(text="hello")
BYE = Chunk(text="bye", finish=Finish.STOP)


class Desk:
    """RequestStreams whose jobs are written down instead of run; each is greeted at once."""

    def __init__(self, bound: int = 8) -> None:
        self.submitted: list[Job] = []
        self.cancelled: list[int] = []
        self.listeners = RequestStreams(submit=self._submit, cancel=self.cancelled.append, bound=bound)

    async def greeted(self) -> AsyncGenerator[Chunk, None]:
        stream = self.listeners.stream(QUESTION)
        assert await anext(stream) == HELLO
        return stream

    def _submit(self, job: Job) -> None:
        self.submitted.append(job)
        self.listeners.put(job.id, HELLO)


async def test_a_stream_ends_with_its_last_chunk_and_cancels_nothing() -> None:
    desk = Desk()
    async with aclosing(await desk.greeted()) as stream:
        desk.listeners.put(desk.submitted[0].id, BYE)
        assert [chunk async for chunk in stream] == [BYE]
    assert desk.cancelled == []


async def test_news_reaches_only_its_own_job() -> None:
    desk = Desk()
    streams = [await desk.greeted() for _ in range(3)]
    ids = [job.id for job in desk.submitted]
    assert len(set(ids)) == 3
    for number in reversed(ids):
        desk.listeners.put(number, Chunk(text=str(number), finish=Finish.STOP))
    assert [(await anext(stream)).text for stream in streams] == [str(number) for number in ids]
    for stream in streams:
        await stream.aclose()


async def test_closing_early_cancels_once() -> None:
    desk = Desk()
    stream = await desk.greeted()
    await stream.aclose()
    assert desk.cancelled == [desk.submitted[0].id]


async def test_a_listener_cancelled_while_it_waits_cancels_its_job() -> None:
    desk = Desk()
    stream = await desk.greeted()
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert desk.cancelled == [desk.submitted[0].id]


async def test_a_stream_that_is_closed_before_it_is_read_never_was() -> None:
    desk = Desk()
    await desk.listeners.stream(QUESTION).aclose()
    assert (desk.submitted, desk.cancelled) == ([], [])


async def test_beyond_the_bound_is_busy_until_somebody_leaves() -> None:
    desk = Desk(bound=2)
    first, second = await desk.greeted(), await desk.greeted()
    with pytest.raises(Busy):
        await anext(desk.listeners.stream(QUESTION))
    await first.aclose()
    third = await desk.greeted()
    assert len(desk.submitted) == 3
    await second.aclose()
    await third.aclose()


async def test_an_error_ends_its_stream_and_frees_its_place() -> None:
    desk = Desk(bound=1)
    stream = await desk.greeted()
    desk.listeners.put(desk.submitted[0].id, EngineFailed("broken"))
    with pytest.raises(EngineFailed, match="broken"):
        await anext(stream)
    await (await desk.greeted()).aclose()


async def test_news_for_nobody_is_dropped() -> None:
    Desk().listeners.put(7, BYE)


async def test_a_failure_of_the_engine_reaches_every_listener() -> None:
    desk = Desk()
    streams = [await desk.greeted() for _ in range(3)]
    desk.listeners.fail_all(EngineFailed("gone"))
    for stream in streams:
        with pytest.raises(EngineFailed, match="gone"):
            await anext(stream)


async def test_a_job_that_cannot_be_sent_takes_no_place() -> None:
    def refuse(_job: Job) -> None:
        raise BadRequest("cannot be sent")

    listeners = RequestStreams(submit=refuse, cancel=lambda _: None, bound=1)
    for _ in range(2):
        with pytest.raises(BadRequest):
            await anext(listeners.stream(QUESTION))
