"""How Gradio's scripts and styles get to the browser soonest."""

import asyncio
import hashlib
import ipaddress
import mimetypes
from pathlib import Path
from typing import Final

from gradio.routes import BUILD_PATH_LIB
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ASSETS: Final = "/assets/"
# Their names change with what is in them.
_FOR_GOOD: Final = {"cache-control": "public, max-age=31536000, immutable"}
# Pages that are on their way may still name those before the latest.
_MOST_TOGETHER: Final = 8


class Delivery:
    """A browser on this machine gets scripts and styles out of memory, and not packed, which would take longer than it
    saves. No browser asks for the same one twice."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._assets = Assets(Path(str(BUILD_PATH_LIB)))
        self.styles = Styles()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        name = path.removeprefix(_ASSETS) if path.startswith(_ASSETS) and scope["method"] == "GET" else None
        if name is None:
            await self._app(scope, receive, send)
            return
        asset = await self._asset(name) if is_near(scope) else None
        if asset is None:
            await self._app(scope, receive, _kept_for_good(send))
        else:
            await Response(asset, headers=_FOR_GOOD, media_type=_type_of(name))(scope, receive, send)

    async def _asset(self, name: str) -> bytes | None:
        asset = self.styles.together(name) or await self._assets.read(name)
        if asset is not None and name.endswith(".css"):
            self.styles.note(name, asset)
        return asset


class Styles:
    """Gradio's page asks for some fifty style sheets, one after the other, as it comes to know which it needs. Those
    that were asked for once come as one from then on, with the page."""

    def __init__(self) -> None:
        self._sheets: dict[str, bytes] = {}
        self._together: dict[str, bytes] = {}

    def note(self, name: str, sheet: bytes) -> None:
        """A browser has asked for it."""
        if name not in self._together:
            self._sheets.setdefault(name, sheet)

    def together(self, name: str) -> bytes | None:
        """What `links` has named."""
        return self._together.get(name)

    def links(self, document: bytes) -> bytes:
        """To be put into the head of the document. Scripts fetch no sheet that a link stands for, whether it is used or
        not."""
        sheets = {name: sheet for name, sheet in self._sheets.items() if name.encode() not in document}
        if not sheets:
            return b""
        name = f"together-{hashlib.sha256(repr([*sheets]).encode()).hexdigest()[:16]}.css"
        if name not in self._together:
            self._together = {**dict([*self._together.items()][-_MOST_TOGETHER:]), name: b"\n".join(sheets.values())}
        links = [_link(name), *(_link(each, "disabled ") for each in sheets)]
        return "".join(links).encode()


class Assets:
    """The files of one folder, each read once; nothing else is ever read."""

    def __init__(self, folder: Path) -> None:
        self._paths = {path.name: path for path in folder.iterdir() if path.is_file()}
        self._held: dict[str, bytes] = {}

    async def read(self, name: str) -> bytes | None:
        path = self._paths.get(name)
        if path is None:
            return None
        if name not in self._held:
            self._held[name] = await asyncio.to_thread(path.read_bytes)
        return self._held[name]


def _kept_for_good(send: Send) -> Send:
    async def send_kept(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            MutableHeaders(scope=message).update(_FOR_GOOD)
        await send(message)

    return send_kept


def _link(name: str, more: str = "") -> str:
    return f'<link rel="stylesheet" {more}href=".{_ASSETS}{name}">\n'


def _type_of(name: str) -> str:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    # Some machines think that scripts are plain text, and then browsers do not run them.
    return "text/javascript" if name.endswith(".js") else kind


def is_near(scope: Scope) -> bool:
    """Whether the request comes from this machine itself, and not by way of a proxy or tunnel."""
    client = scope.get("client")
    names = {name for name, _ in scope["headers"]}
    if client is None or b"x-forwarded-for" in names or b"forwarded" in names:
        return False
    try:
        return ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
