"""How Gradio's scripts and styles get to the browser soonest."""

import asyncio
import gzip
import hashlib
import ipaddress
import mimetypes
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final

from gradio.routes import BUILD_PATH_LIB
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modules.ui.page.languages import language_scripts
from modules.ui.shell.manifest import read_icons
from modules.ui.shell.scripts import ScriptBundle

NOT_KEPT: Final = {"cache-control": "no-store"}

_ASSETS: Final = "/assets/"
# Their names change with what is in them.
_FOR_GOOD: Final = {"cache-control": "public, max-age=31536000, immutable"}
# Their names stay.
_FOR_A_DAY: Final = {"cache-control": "public, max-age=86400"}
# Half a megabyte that each browser looks through, for live streams.
_STREAMING: Final = re.compile(r"hls-[\w-]+\.js")
# Where a module's names are exported at its end, as Gradio's build writes them.
_EXPORTS: Final = re.compile(rb"export\s*\{([^}]*)\}\s*;?\s*$")
# What the first browser asks for, in its order; tests/browser tells when Gradio has others.
_SHEETS: Final = Path(__file__).parents[1] / "assets" / "gradio_sheets.txt"
_SCRIPTS: Final = _SHEETS.with_name("gradio_scripts.txt")


class AssetDelivery:
    """A browser on this machine gets scripts and styles out of memory, and not packed, which would take longer than it
    saves. No browser asks for the same one twice."""

    def __init__(self, app: ASGIApp, *, has_streams: bool) -> None:
        """`has_streams` says that some component of the page plays live streams; none of its own does."""
        self._app = app
        self._has_streams = has_streams
        self._assets = Assets(Path(str(BUILD_PATH_LIB)))
        icons = {name: (content, kind, _FOR_A_DAY) for name, (content, kind) in read_icons().items()}
        self._own = icons | {each.name: (each.content, "text/javascript", _FOR_GOOD) for each in language_scripts()}
        self.styles = Styles(self._assets, _SHEETS.read_text(encoding="utf-8").split())
        self.scripts = ScriptBundle(self._sources(), self.styles.names)
        self._together = {
            self.styles.name: sent(self.styles.sheet, "text/css", _FOR_GOOD),
            self.scripts.name: _sent_packed(self.scripts.content, "text/javascript", _FOR_GOOD),
        }

    def _sources(self) -> dict[str, bytes]:
        found = self._assets.load_all(_SCRIPTS.read_text(encoding="utf-8").split())
        for name in filter(_STREAMING.fullmatch, tuple(found)):
            if self._has_streams:
                del found[name]
            else:
                found[name] = _incapable(found[name])
        return found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        name = path.removeprefix(_ASSETS) if path.startswith(_ASSETS) and scope["method"] == "GET" else ""
        await (await self._answer(name, unpacked=is_near(scope)) or self._app)(scope, receive, send)

    async def _answer(self, name: str, *, unpacked: bool) -> ASGIApp | None:
        """What sends the asset; None for what is not one."""
        if name in self._together:
            return self._together[name]
        if name in self._own:
            return sent(*self._own[name])
        asset = await self._assets.read(name)
        if asset is None:
            return None
        if _STREAMING.fullmatch(name) and not self._has_streams:
            # Tomorrow the page may have some.
            return Response(_incapable(asset), headers=NOT_KEPT, media_type=_type_of(name))
        if unpacked:
            return Response(asset, headers=_FOR_GOOD, media_type=_type_of(name))
        return self._kept_for_good

    async def _kept_for_good(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_kept(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.OK:
                MutableHeaders(scope=message).update(_FOR_GOOD)
            await send(message)

        await self._app(scope, receive, send_kept)


class Styles:
    """Gradio's page asks for some forty style sheets, one after the other, as it comes to know which it needs. Here they
    come as one, with the page."""

    def __init__(self, assets: "Assets", names: Iterable[str]) -> None:
        sheets = assets.load_all(names)
        self.names = frozenset(sheets)
        self.sheet = b"\n".join(sheets.values())
        self.name = f"together-{hashlib.sha256(self.sheet).hexdigest()[:16]}.css"
        # Scripts fetch no sheet that a link stands for, whether it is used or not.
        links = [_link(self.name), *(_link(each, "disabled ") for each in sheets)]
        self.links = "".join(links).encode()


class Assets:
    """The files of one folder, each read once; nothing else is ever read."""

    def __init__(self, folder: Path) -> None:
        self._paths = {path.name: path for path in folder.iterdir() if path.is_file()}
        self._held: dict[str, bytes] = {}

    async def read(self, name: str) -> bytes | None:
        is_on_disk = name in self._paths and name not in self._held
        return await asyncio.to_thread(self.load, name) if is_on_disk else self._held.get(name)

    def load(self, name: str) -> bytes | None:
        """As `read`, and holds up whoever calls it."""
        if name in self._paths and name not in self._held:
            self._held[name] = self._paths[name].read_bytes()
        return self._held.get(name)

    def load_all(self, names: Iterable[str]) -> dict[str, bytes]:
        """Those of them that there are."""
        return {name: content for name in names if (content := self.load(name)) is not None}


def sent(content: bytes, media_type: str, headers: Mapping[str, str]) -> ASGIApp:
    """Answers with `content`, which is packed for who is far away."""
    answer = Response(content, headers=headers, media_type=media_type)
    packed = GZipMiddleware(answer)

    async def send_packed(scope: Scope, receive: Receive, send: Send) -> None:
        await (answer if is_near(scope) else packed)(scope, receive, send)

    return send_packed


def _sent_packed(content: bytes, media_type: str, headers: Mapping[str, str]) -> ASGIApp:
    """Answers with `content`, packed once, for everybody who reads that: a megabyte is a third of one then."""
    whole = Response(content, headers=headers, media_type=media_type)
    more = {"content-encoding": "gzip", "vary": "accept-encoding"}
    packed = Response(gzip.compress(content), headers={**headers, **more}, media_type=media_type)

    async def send_packed(scope: Scope, receive: Receive, send: Send) -> None:
        accepted = Headers(scope=scope).get("accept-encoding", "")
        await (packed if "gzip" in accepted else whole)(scope, receive, send)

    return send_packed


def _incapable(script: bytes) -> bytes:
    """A script with the names of the one that plays streams, by which browsers see that they cannot."""
    exported = _EXPORTS.search(script)
    if exported is None:
        return script
    names = [each.split()[-1] for each in exported[1].split(b",")]
    return b"class None_ { static isSupported() { return false; } }\nexport { %s };\n" % b", ".join(
        b"None_ as " + name for name in names
    )


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
