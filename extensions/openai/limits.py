"""How long a request may take to arrive, and in what spellings its path may come."""

import asyncio
import re
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_TIMEOUT_SECONDS: Final = 60
_SLASHES: Final = re.compile(r"/{2,}")
_WITHOUT_VERSION: Final = re.compile(
    r"/(chat/completions|completions|models|embeddings|moderations|images|audio|responses|messages|rerank|internal)(/|$)"
)


class BodyDeadline:
    """Each part of a body must follow the last within `BODY_TIMEOUT_SECONDS`; a stalled one is answered with 408."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_complete = scope["type"] != "http"

        async def timed_receive() -> Message:
            nonlocal is_complete
            if is_complete:
                return await receive()
            try:
                async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408) from None
            is_complete = not message.get("more_body", False)
            return message

        await self._app(scope, timed_receive, send)


class PlainPaths:
    """Clients are given the base URL with or without /v1 and with slashes to spare; all mean the same route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": plain_path(scope["path"])}
        await self._app(scope, receive, send)


def plain_path(path: str) -> str:
    path = _SLASHES.sub("/", path).rstrip("/") or "/"
    return f"/v1{path}" if _WITHOUT_VERSION.match(path) else path
