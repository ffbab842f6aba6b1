"""How the page's own files get to the browser soonest."""

import ipaddress
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ASSETS: Final = "/assets/"
# Their names change with what is in them.
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_ENCODINGS: Final = b"accept-encoding"


class Delivery:
    """Nothing is packed for a browser on this machine, which would take longer than it saves; a browser that has one
    of Gradio's scripts does not ask for it again."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _is_near(scope):
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != _ENCODINGS]}
        is_asset = scope["path"].removeprefix(scope.get("root_path", "")).startswith(_ASSETS)

        async def send_kept(message: Message) -> None:
            if is_asset and message["type"] == "http.response.start" and message["status"] == 200:
                MutableHeaders(scope=message)["cache-control"] = _FOR_GOOD
            await send(message)

        await self._app(scope, receive, send_kept)


def _is_near(scope: Scope) -> bool:
    """Whether the request comes from this machine itself, and not by way of a proxy or tunnel."""
    client = scope.get("client")
    names = {name for name, _ in scope["headers"]}
    if client is None or b"x-forwarded-for" in names or b"forwarded" in names:
        return False
    try:
        return ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
