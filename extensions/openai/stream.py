"""Bytes out, hang-up in: server-sent events from a source of events, which is closed as soon as nobody listens.

The first event is awaited, though not for ever, before the headers are sent, so that what fails at once is a proper
status; after that a failure is an error event. Silence is filled with comment lines. What is ready at once leaves in one packet.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import aclosing, suppress
from typing import Any, Final, Protocol, TypeVar

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from extensions.openai.context import Caller
from extensions.openai.errors import error_event
from extensions.openai.waiting import end, hung_up, stopped, unless
from modules.events import Event

KEEP_ALIVE_SECONDS: Final = 10
SEND_TIMEOUT_SECONDS: Final = 60

logger = logging.getLogger(__name__)
T = TypeVar("T")


class Encoder(Protocol):
    """Turns events into server-sent events; nothing at all for what its API does not show."""

    def encode(self, event: Event) -> bytes: ...

    def end(self) -> bytes:
        """What follows the last event of a stream that did not fail."""
        ...


def parses_every_event(caller: Caller) -> bool:
    """Whether the reader takes every event for a chunk with a text, as loops over `requests` written after this
    API's documentation do.

    Such a reader gets no `[DONE]`, and a `content` in every delta; all others get what OpenAI's clients expect.
    """
    return caller.user_agent.startswith("python-requests/")


async def while_connected(caller: Caller, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. Raises ClientGone or ShuttingDown when there is nobody left to wait for it."""
    return await unless(work, hung_up(caller.request.receive), stopped(caller.context.closing))


async def event_stream(
    caller: Caller, events: AsyncGenerator[Event, None], encoder: Encoder, headers: Mapping[str, str]
) -> Response:
    """A response that streams `events`. Raises what they raise before there is anything to send."""
    feed = Feed(events, encoder, caller.context.closing, terminator=_terminator(caller))
    try:
        await while_connected(caller, feed.open())
    except BaseException:
        await feed.aclose()
        raise
    return FeedResponse(feed, headers)


def _terminator(caller: Caller) -> bytes:
    return b"" if parses_every_event(caller) else b"data: [DONE]\n\n"


class Feed:
    """Reads a source on a task of its own, and keeps what it encodes to until it is sent."""

    def __init__(
        self, events: AsyncGenerator[Event, None], encoder: Encoder, closing: asyncio.Event, *, terminator: bytes
    ) -> None:
        self._events = events
        self._encoder = encoder
        self._terminator = terminator
        self._ready: list[bytes] = []
        self._news = asyncio.Event()
        self._reader = asyncio.create_task(unless(self._read(), stopped(closing)))
        self._reader.add_done_callback(lambda _: self._news.set())

    async def open(self, patience: float = KEEP_ALIVE_SECONDS) -> None:
        """Waits for the first event; raises what the source raises in its place.

        After `patience` seconds, as in a long queue, the stream begins all the same: clients give up on silence.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._news.wait()
        if self._reader.done() and not self._ready:
            await self._reader

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Whole events, as many at a time as there are."""
        is_over = False
        while not is_over:
            await self._news.wait()
            self._news.clear()
            is_over = self._reader.done()
            if self._ready:
                frame = b"".join(self._ready)
                self._ready.clear()
                yield frame
        failure = self._reader.exception()
        if isinstance(failure, Exception):
            yield error_event(failure)

    async def aclose(self) -> None:
        """Closes the source too."""
        await end(self._reader)

    async def _read(self) -> None:
        async with aclosing(self._events) as events:
            async for event in events:
                self._put(self._encoder.encode(event))
        self._put(self._encoder.end() + self._terminator)

    def _put(self, encoded: bytes) -> None:
        if encoded:
            self._ready.append(encoded)
            self._news.set()


class FeedResponse(EventSourceResponse):
    """Sends a feed, and closes it however the sending ends."""

    def __init__(self, feed: Feed, headers: Mapping[str, str]) -> None:
        super().__init__(
            feed.frames(),
            headers={"Cache-Control": "no-cache", **headers},
            ping=KEEP_ALIVE_SECONDS,
            ping_message_factory=_keep_alive,
            send_timeout=SEND_TIMEOUT_SECONDS,
            sep="\n",
        )
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._feed):
            try:
                await super().__call__(scope, receive, send)
            except SendTimeoutError:
                logger.info("A client that had stopped reading its stream was dropped.")


def _keep_alive() -> ServerSentEvent:
    return ServerSentEvent(comment="keep-alive", sep="\n")
