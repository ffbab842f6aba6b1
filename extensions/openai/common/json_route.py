"""Bodies are strict JSON: no NaN, no lone surrogates, no nesting without end."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response


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
