"""Layers around the routes: path spellings, a log line per request, and JSON bodies read strictly."""

import logging
import re
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import orjson
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

_SLASHES: Final = re.compile(r"/{2,}")
_VERSIONS: Final = re.compile(r"^(/v1)+(?=/|$)")
_VERSIONED: Final = re.compile(
    r"/(chat/completions|completions|models|embeddings|moderations|images|audio|responses|conversations|messages|rerank|internal|billing)(/|$)"
)
# Routes that other servers have at the root; clients whose base URL ends in /v1 ask below it.
_UNVERSIONED: Final = re.compile(r"^/v1(?=/(health|metrics|tokenize|detokenize|tokenizer_info)$)")


class PlainPaths:
    """Clients are given the base URL with or without /v1, or add it once more, and with slashes to spare; all mean the same
    route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": plain_path(scope["path"])}
        await self._app(scope, receive, send)


def plain_path(path: str) -> str:
    path = _VERSIONS.sub("/v1", _SLASHES.sub("/", path).rstrip("/"), count=1) or "/"
    return f"/v1{path}" if _VERSIONED.match(path) else _UNVERSIONED.sub("", path)


class RequestLog:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 0

        async def noting_send(message: Message) -> None:
            nonlocal status
            # Only the first message of an answer has one.
            status = message.get("status", status)
            await send(message)

        started = time.monotonic()
        try:
            await self._app(scope, receive, noting_send)
        finally:
            milliseconds = (time.monotonic() - started) * 1000
            logger.info("%s %s → %d in %.0f ms", scope.get("method"), scope.get("path"), status, milliseconds)


class JsonRequest(Request):
    """Reads its body with orjson, whose errors are the standard library's JSONDecodeError."""

    async def json(self) -> Any:  # noqa: ANN401 - any JSON
        return orjson.loads(await self.body())


class JsonRoute(APIRoute):
    """A route whose handler gets such a request."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_json
