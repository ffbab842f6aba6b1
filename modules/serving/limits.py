"""How large the body of a request may be, and how long it may take to arrive."""

import asyncio
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_TIMEOUT_SECONDS: Final = 60


class BodyLimits:
    """A body may have `max_bytes`, and each part of it must follow the last within `BODY_TIMEOUT_SECONDS`."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = self._max_bytes if scope["type"] == "http" else 0
        is_complete = scope["type"] != "http"

        async def limited_receive() -> Message:
            nonlocal left, is_complete
            if is_complete:
                return await receive()
            message = await _in_time(receive)
            left -= len(message.get("body", b""))
            if left < 0 or _announced_length(scope) > self._max_bytes:
                raise HTTPException(413, headers={"Connection": "close"})
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
