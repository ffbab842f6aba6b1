"""The feed between a source of events and the wire."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from extensions.openai.common.stream import Feed
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


def feed_of(events: AsyncGenerator[Event, None]) -> Feed[Event]:
    return Feed(events, Words(), terminator=b"[DONE]")


async def frames_of(feed: Feed[Event]) -> list[bytes]:
    frames = []
    while (frame := await feed.next_frame()) is not None:
        frames.append(frame)
    await feed.aclose()
    return frames


async def test_each_event_that_says_anything_is_a_frame() -> None:
    async def hasty() -> AsyncGenerator[Event, None]:
        yield STARTED
        for word in ("a", "b", "c"):
            yield Content(index=0, text=word)

    feed = feed_of(hasty())
    await feed.open()
    assert await frames_of(feed) == [b"a", b"b", b"c", b"|end|[DONE]"]


async def test_a_stream_begins_although_its_source_is_silent() -> None:
    source = Source()
    feed = feed_of(source.events())
    await feed.open(patience=0.001)
    source.texts.put_nowait("late")
    source.texts.put_nowait(None)
    assert await frames_of(feed) == [b"late", b"|end|[DONE]"]


async def test_what_comes_leaves_at_once() -> None:
    source = Source()
    feed = feed_of(source.events())
    for word in ("a", "b"):
        source.texts.put_nowait(word)
        assert await feed.next_frame() == word.encode()
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
    said = b"".join(await frames_of(feed))
    assert said.startswith(b'adata: {"error":{"message":"full","type":"rate_limit_error"')
    assert b"end" not in said


async def test_a_failure_that_nobody_foresaw_says_nothing_of_itself() -> None:
    async def breaking() -> AsyncGenerator[Event, None]:
        yield Content(index=0, text="a")
        raise RuntimeError("my secret")

    feed = feed_of(breaking())
    said = b"".join(await frames_of(feed))
    assert b'"server_error"' in said
    assert b"secret" not in said


async def test_a_failure_is_told_in_the_words_of_the_api() -> None:
    async def broken() -> AsyncGenerator[Event, None]:
        yield STARTED
        raise Busy("The queue is full.")

    feed = Feed(broken(), Words(), failure=lambda error: type(error).__name__.encode())
    assert await frames_of(feed) == [b"Busy"]
