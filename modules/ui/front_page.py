"""The document that a browser gets when it opens the page."""

from collections.abc import Callable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from modules.ui.delivery import Delivery, is_near
from modules.ui.filling import Filling

_PATHS: Final = {"/", "/config"}
_FIRST_SCRIPT: Final = b'<script type="module"'
# Gradio's own script has Svelte watch all that it is told of components and events, which never changes. Looking through
# it, which it does once for each component, takes half a second then. What is no plain array is not watched.
_UNWATCHED: Final = b"""<script>
class Unwatched extends Array {}
for (const each of [gradio_config.components, gradio_config.dependencies]) Object.setPrototypeOf(each, Unwatched.prototype);
</script>
"""


class FrontPage:
    """Sees to it that the document is filled with what there is now, and that browsers are quick with it. None may keep
    it: what it was filled with would be shown, and sent back, at a later visit."""

    def __init__(self, app: Delivery, filling: Filling) -> None:
        self._app = app
        self._filling = filling

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}
        path = scope["path"].removeprefix(scope.get("root_path", "")) if is_page else ""
        if path not in _PATHS:
            await self._app(scope, receive, send)
            return
        await self._filling.refresh()
        await self._app(scope, receive, _Sending(send, self._links(scope)) if scope["method"] == "GET" else send)

    def _links(self, scope: Scope) -> Callable[[bytes], bytes]:
        return self._app.styles.links if is_near(scope) else lambda _document: b""


class _Sending:
    """Holds the document back until it is whole, which Gradio sends at once."""

    def __init__(self, send: Send, links: Callable[[bytes], bytes]) -> None:
        self._send = send
        self._links = links
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body", False):
            return
        begin = self._body.find(_FIRST_SCRIPT)
        body = self._body
        if begin >= 0:
            body = body[:begin] + _UNWATCHED + self._links(body) + body[begin:]
        headers = MutableHeaders(scope=self._start)
        headers["cache-control"] = "no-store"
        headers["content-length"] = str(len(body))
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body})
