"""What uvicorn leaves open: bounds on heads and bodies of requests, and how streams are sent."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# For each part, not for the whole: a large picture on a slow line is let through.
BODY_TIMEOUT_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """Most bytes of a body, and the flag that sets it."""

    max_bytes: int
    flag: str = "--api-max-body-mb"


class BodyLimits:
    """A body may have `max_bytes`, on a path of `larger` what is said there, and each part of it must follow the last within
    `BODY_TIMEOUT_SECONDS`."""

    def __init__(self, app: ASGIApp, max_bytes: int, larger: Mapping[str, BodyLimit] = MappingProxyType({})) -> None:
        self._app = app
        self._usual = BodyLimit(max_bytes)
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self._larger.get(scope.get("path", ""), self._usual)
        left = limit.max_bytes if scope["type"] == "http" else 0
        is_complete = scope["type"] != "http"

        async def limited_receive() -> Message:
            nonlocal left, is_complete
            if is_complete:
                return await receive()
            message = await _in_time(receive)
            left -= len(message.get("body", b""))
            # Refused by its announced length before anything of it is read.
            if left < 0 or _announced_length(scope) > limit.max_bytes:
                # The rest of the body is still on its way; the connection cannot be used again.
                raise HTTPException(413, limit.flag, headers={"Connection": "close"})
            is_complete = not message.get("more_body", False)
            return message

        await self._app(scope, limited_receive, send)


async def _in_time(receive: Receive) -> Message:
    try:
        async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
            return await receive()
    except TimeoutError:
        raise HTTPException(408, headers={"Connection": "close"}) from None


def _announced_length(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isdecimal() else 0


# h11's and nginx's bounds are near it. httptools has none, so a head without end would fill the memory.
MAX_HEAD_BYTES: Final = 64 * 1024
# Against connections that are opened and kept without a request (slowloris).
HEAD_TIMEOUT_SECONDS: Final = 30


class BoundedHttpProtocol(HttpToolsProtocol):
    """Ends connections whose request line and headers grow past `MAX_HEAD_BYTES`, or do not arrive in time."""

    _head_bytes: int | None = None
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_bytes is not None and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.send_400_response("Request header fields are too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._wait_for_head()

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        self._stop_waiting()
        super().on_headers_complete()
        if self.scope["http_version"] == "1.0":
            # The cycle's own task begins after this.
            self.cycle.send = PlainSender(self.cycle).send  # type: ignore[method-assign]

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class PlainSender:
    """Sends the answers of one cycle as HTTP/1.0 has them: there are no chunks, and a body of unknown length ends with
    the connection (RFC 1945, section 7.2.2)."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._send = cycle.send
        self._is_unbounded = False

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message.get("headers", [])}
            self._is_unbounded = b"content-length" not in names
            if self._is_unbounded:
                self._cycle.chunked_encoding = False
        elif message["type"] == "http.response.body" and self._is_unbounded:
            # uvicorn compares what is sent with it, and here no length was announced.
            self._cycle.expected_content_length = len(message.get("body", b""))
        await self._send(message)
