"""The feed between a source of events and the wire."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from extensions.openai.stream import Feed
from modules.engine.types import Usage
from modules.errors import Busy
from modules.events import Content, Done, Event, FinishReason, Started

STARTED = Started(model="m", prompt_tokens=1)
DONE = Done(index=0, reason=FinishReason.STOP, usage=Usage())


class Words:
    """Says the text of each content event."""

    def encode(self, event: Event) -> bytes:
        return event.text.encode() if isinstance(event, Content) else b""

    def end(self) -> bytes:
        return b"|end|"


class Source:
    """Says each text as soon as it is put in, and knows when it was closed; None is the end."""

    def __init__(self) -> None:
        self.texts: asyncio.Queue[str | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def events(self) -> AsyncGenerator[Event, None]:
        try:
            yield STARTED
            while (text := await self.texts.get()) is not None:
                yield Content(index=0, text=text)
            yield DONE
        finally:
            self.closed.set()


def feed_of(events: AsyncGenerator[Event, None], closing: asyncio.Event | None = None) -> Feed:
    return Feed(events, Words(), closing or asyncio.Event(), terminator=b"[DONE]")


async def test_what_is_ready_at_once_leaves_in_one_frame() -> None:
    async def hasty() -> AsyncGenerator[Event, None]:
        for word in ("a", "b", "c"):
            yield Content(index=0, text=word)

    feed = feed_of(hasty())
    await feed.open()
    assert [frame async for frame in feed.frames()] == [b"abc|end|[DONE]"]
    await feed.aclose()


async def test_a_stream_begins_although_its_source_is_silent() -> None:
    source = Source()
    feed = feed_of(source.events())
    await feed.open(patience=0.001)
    source.texts.put_nowait("late")
    source.texts.put_nowait(None)
    assert [frame async for frame in feed.frames()] == [b"late|end|[DONE]"]
    await feed.aclose()


async def test_what_comes_apart_leaves_apart() -> None:
    source = Source()
    feed = feed_of(source.events())
    frames = feed.frames()
    for word in ("a", "b"):
        source.texts.put_nowait(word)
        assert await anext(frames) == word.encode()
    await frames.aclose()
    await feed.aclose()


async def test_what_piles_up_while_sending_leaves_together() -> None:
    source = Source()
    feed = feed_of(source.events())
    source.texts.put_nowait("a")
    frames = feed.frames()
    assert await anext(frames) == b"a"
    for word in ("b", "c", None):
        source.texts.put_nowait(word)
    await source.closed.wait()
    assert [frame async for frame in frames] == [b"bc|end|[DONE]"]
    await feed.aclose()


async def test_closing_the_feed_closes_the_source() -> None:
    source = Source()
    feed = feed_of(source.events())
    source.texts.put_nowait("a")
    await feed.open()
    await feed.aclose()
    assert source.closed.is_set()


async def test_a_source_that_fails_before_it_says_anything_fails_the_opening() -> None:
    async def refusing() -> AsyncGenerator[Event, None]:
        yield STARTED
        raise Busy("full")

    feed = feed_of(refusing())
    with pytest.raises(Busy):
        await feed.open()
    await feed.aclose()


async def test_a_source_that_fails_later_ends_with_an_error_event() -> None:
    async def failing() -> AsyncGenerator[Event, None]:
        yield Content(index=0, text="a")
        raise Busy("full")

    feed = feed_of(failing())
    await feed.open()
    said = b"".join([frame async for frame in feed.frames()])
    assert said.startswith(b'adata: {"error":{"message":"full","type":"rate_limit_error"')
    assert b"end" not in said
    await feed.aclose()


async def test_a_failure_that_nobody_foresaw_says_nothing_of_itself() -> None:
    async def breaking() -> AsyncGenerator[Event, None]:
        yield Content(index=0, text="a")
        raise RuntimeError("my secret")

    feed = feed_of(breaking())
    said = b"".join([frame async for frame in feed.frames()])
    assert b'"server_error"' in said
    assert b"secret" not in said
    await feed.aclose()
