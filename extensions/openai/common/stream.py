"""Server-sent events: the source of events is closed as soon as the client hangs up."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any, ClassVar, Final, Generic, NoReturn, Protocol, TypeVar

import orjson
from sse_starlette import ServerSentEvent
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from extensions.openai.common.answers import Stamp, UsageTally, usage_body
from extensions.openai.common.context import Caller, end, hung_up, stopped, unless
from extensions.openai.common.errors import ClientGone, ShuttingDown, error_event
from modules.events import Done, Started

# Proxies drop a connection that is silent for 30 to 60 seconds, and a prompt may take minutes to read.
KEEP_ALIVE_SECONDS: Final = 10
# A reader that takes nothing for so long is gone, although its system has not said so.
SEND_TIMEOUT_SECONDS: Final = 60
KEEP_ALIVE: Final = ServerSentEvent(comment="keep-alive", sep="\n").encode()

logger = logging.getLogger(__name__)
T = TypeVar("T")
Item = TypeVar("Item")
Event_contra = TypeVar("Event_contra", contravariant=True)


class Encoder(Protocol[Event_contra]):
    """Turns events into server-sent events; nothing at all for what its API does not show."""

    def encode(self, event: Event_contra) -> bytes: ...

    def end(self) -> bytes:
        """What follows the last event of a stream that did not fail."""
        ...


def parses_every_event(caller: Caller) -> bool:
    """Whether the reader takes every event for a chunk with a text, as loops over `requests` written after this
    API's documentation do.

    Such a reader gets no `[DONE]`, and a `content` in every delta; all others get what OpenAI's clients expect.
    """
    return caller.user_agent.startswith("python-requests/")


def is_plain_script(caller: Caller) -> bool:
    """Whether the answer is not read by a client library, so that it may have more keys than OpenAI's."""
    return caller.user_agent.startswith(("python-requests/", "curl/"))


async def while_connected(caller: Caller, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. Raises ClientGone when the client disconnects, and ShuttingDown."""
    return await unless(work, hung_up(caller.request.receive), stopped(caller.context.closing))


async def event_stream(
    caller: Caller, events: AsyncGenerator[Item, None], encoder: Encoder[Item], headers: Callable[[], Mapping[str, str]]
) -> Response:
    """A response that streams `events`; its `headers` are asked for when the first has come. Raises what they raise before there is anything to send."""
    return await feed_response(caller, Feed(events, encoder, terminator=_terminator(caller)), headers)


async def feed_response(
    caller: Caller,
    feed: "Feed[Any]",
    headers: Callable[[], Mapping[str, str]],
    response: "type[FeedResponse] | None" = None,
) -> Response:
    """A response that sends `feed`; its `headers` are asked for when the first event has come, or has not for long.
    Raises what its source raises before there is anything to send."""
    try:
        await while_connected(caller, feed.open())
    except BaseException:
        await feed.aclose()
        raise
    return (response or FeedResponse)(feed, caller.context.closing, headers())


def _terminator(caller: Caller) -> bytes:
    return b"" if parses_every_event(caller) else b"data: [DONE]\n\n"


class Feed(Generic[Item]):
    """Encodes a source's events, one by one, in the task that asks for them: a token takes no detour.

    `failure` says in the API's own way that the stream broke off.
    """

    def __init__(
        self,
        events: AsyncGenerator[Item, None],
        encoder: Encoder[Item],
        *,
        terminator: bytes = b"",
        failure: Callable[[Exception], bytes] = error_event,
    ) -> None:
        self._events = events
        self._encoder = encoder
        self._terminator = terminator
        self.failure = failure
        self._first: asyncio.Task[bytes | None] | None = None
        self._is_over = False

    async def open(self, patience: float = KEEP_ALIVE_SECONDS) -> None:
        """Waits for the first event; raises what the source raises in its place.

        After `patience` seconds, as in a long queue, the stream begins all the same: clients give up on silence.
        """
        self._first = asyncio.create_task(self._read())
        # Until something is sent, a failure can still be a proper HTTP status.
        done, _ = await asyncio.wait([self._first], timeout=patience)
        if done and self._first.exception() is not None:
            await self._first

    async def next_frame(self) -> bytes | None:
        """The next event that says anything, then the end of the stream, then None. A failure is said as an event."""
        if self._is_over:
            return None
        try:
            first, self._first = self._first, None
            return await (self._read() if first is None else first)
        except Exception as failure:  # noqa: BLE001 - whatever broke, its reader must hear of it
            self._is_over = True
            return self.failure(failure)

    async def aclose(self) -> None:
        """Closes the source too."""
        if self._first is not None:
            await end(self._first)
        await self._events.aclose()

    async def _read(self) -> bytes | None:
        while (event := await anext(self._events, None)) is not None:
            if encoded := self._encoder.encode(event):
                return encoded
        self._is_over = True
        return self._encoder.end() + self._terminator


class FeedResponse(Response):
    """Sends a feed, and closes it however the sending ends: with the source, a hang-up, or a reader that stalls."""

    media_type = "text/event-stream"
    # What breaks a silence; empty where nothing can be said beside the content.
    keep_alive: ClassVar[bytes] = KEEP_ALIVE

    def __init__(self, feed: Feed[Any], closing: asyncio.Event, headers: Mapping[str, str]) -> None:
        # nginx collects an answer before it passes it on, unless it is told not to.
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no", **headers})
        del self.headers["content-length"]
        self._feed = feed
        self._closing = closing
        self._sent = 0
        self._is_sending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._feed):
            try:
                # A disconnect is only reported to callers of receive(); without this the whole reply would be generated.
                await unless(self._send_all(send), hung_up(receive), stopped(self._closing), self._watch(send))
            except ClientGone:
                return
            except ShuttingDown as failure:
                await send(_body(self._feed.failure(failure)))
        await send(_body(b"", more=False))

    async def _send_all(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await self._send(send, start)
        while (frame := await self._feed.next_frame()) is not None:
            await self._send(send, _body(frame))

    async def _send(self, send: Send, message: Message) -> None:
        self._is_sending = True
        await send(message)
        self._is_sending = False
        self._sent += 1

    async def _watch(self, send: Send) -> NoReturn:
        """Breaks silence with comments. Raises ClientGone for a reader that has taken nothing for a long time."""
        stalls = 0
        while True:
            sent = self._sent
            await asyncio.sleep(KEEP_ALIVE_SECONDS)
            stalls = stalls + 1 if self._is_sending and sent == self._sent else 0
            if stalls * KEEP_ALIVE_SECONDS >= SEND_TIMEOUT_SECONDS:
                logger.info("Disconnected a client that had stopped reading its stream.")
                raise ClientGone
            # Two sends at once would mix their bytes.
            if self.keep_alive and sent == self._sent and not self._is_sending:
                await send(_body(self.keep_alive))


def _body(content: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


class ChunkEncoder:
    """The chunks of one streamed answer. `kind` is their `object`, `id_prefix` how their id begins.

    With `wants_usage` every chunk says `"usage":null`, and a last one without choices has it. `head` and `tail` are
    what stands around a choice, from `start` on. The last chunk has what `receipt` gives, if that is anything.
    """

    def __init__(self, *, kind: str, id_prefix: str, wants_usage: bool, receipt: Callable[[], bytes] = bytes) -> None:
        self._receipt = receipt
        self._kind = kind
        self._id_prefix = id_prefix
        self._wants_usage = wants_usage
        self._tally = UsageTally()
        self.head = b""
        self.tail = b'],"usage":null}\n\n' if wants_usage else b"]}\n\n"

    def start(self, started: Started) -> None:
        self._tally.start(started)
        stamp = Stamp.of(self._id_prefix, started.model)
        common = orjson.dumps(
            {
                "id": stamp.id,
                "object": self._kind,
                "created": stamp.created,
                "model": stamp.model,
                "system_fingerprint": stamp.system_fingerprint,
            }
        )
        # The object's closing brace is cut off: the choices follow within it.
        self.head = b"data: " + common[:-1] + b',"choices":['

    def around(self, choice: bytes) -> bytes:
        return self.head + choice + self.tail

    def finish(self, done: Done) -> None:
        """To be told of the end of every choice."""
        self._tally.finish(done)

    def end(self) -> bytes:
        """The chunk with the usage of all choices and the receipt, as far as they were asked for."""
        receipt = self._receipt()
        told = b',"receipt":' + receipt if receipt else b""
        if not self._wants_usage:
            return self.head + b"]" + told + b"}\n\n" if told else b""
        usage = usage_body(self._tally.total).model_dump_json().encode()
        return self.head + b'],"usage":' + usage + told + b"}\n\n"
