"""The document that a browser gets when it opens the page."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from modules.ui.page.languages import first_script
from modules.ui.shell.assets import NOT_KEPT, AssetDelivery, sent
from modules.ui.shell.initial_values import InitialValues
from modules.ui.shell.manifest import LINKS, MANIFEST, MANIFEST_PATH

_PATHS: Final = {"/", "/config"}
# Where a visitor says under which address he has found the page, from which Gradio makes the links in it.
_OF_ADDRESS: Final = {b"host", b"x-forwarded-host", b"x-forwarded-proto", b"x-gradio-server"}
_FIRST_SCRIPT: Final = re.compile(rb'<script type="module"[^>]*\ssrc="\./assets/([\w.-]+)"[^>]*></script>')
# For pages within frames of others, which this one never is.
_FRAME_SCRIPT: Final = re.compile(
    rb"<script>(?:(?!</script>).)*iframeResizer\.contentWindow(?:(?!</script>).)*</script>", re.DOTALL
)
_END_OF_HEAD: Final = b"</head>"
_CONFIG: Final = re.compile(rb"<script>(window\.gradio_config = .*?)</script>", re.DOTALL)
_CONFIG_BEGIN: Final = b"window.gradio_config = "
# Another number after each start.
_OF_START: Final = "app_id"
# More than that is sent with each document only until all of it is a file again.
_MOST_CHANGES: Final = 16_384
_KEPT: Final = {"cache-control": "private, max-age=31536000, immutable"}
_OWN_QUERY: Final = {"chat", "q", "model", "preset"}
# Documents that are on their way may still name those before the latest.
_MOST_SCRIPTS: Final = 8
# Gradio's own script has Svelte watch all that it is told of components and events, which never changes. Looking through
# it, which it does once for each component, takes half a second then. What is no plain array is not watched.
_UNWATCHED: Final = b"""
class Unwatched extends Array {}
for (const each of [gradio_config.components, gradio_config.dependencies]) Object.setPrototypeOf(each, Unwatched.prototype);
"""
# What a document says is otherwise than in the file that it names.
_CHANGE: Final = b"""
{
  const { components, ...others } = gradioChanges;
  Object.assign(gradio_config, others);
  for (const [place, props] of components) Object.assign(gradio_config.components[place].props, props);
}
"""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a visitor gets."""

    start: Message
    body: bytes


@dataclass(slots=True)
class PageParts:
    """What the page is made of, in a file that browsers keep, and what is otherwise by now. Most of it never changes."""

    _base: dict[str, Any] = field(default_factory=dict)

    def divided(self, config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """A page to be kept, and what to change in it."""
        whole = {name: value for name, value in config.items() if name != _OF_START}
        changes = _changes(self._base, whole)
        if changes is None or len(json.dumps(changes)) > _MOST_CHANGES:
            self._base, changes = whole, {"components": []}
        return self._base, changes | {_OF_START: config[_OF_START]}


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any] | None:
    """None where it is another page."""
    if before.keys() != now.keys() or len(before["components"]) != len(now["components"]):
        return None
    found: dict[str, Any] = {name: value for name, value in now.items() if value != before[name]}
    found["components"] = []
    for place, (old, new) in enumerate(zip(before["components"], now["components"], strict=True)):
        if old == new:
            continue
        if {**old, "props": None} != {**new, "props": None} or old["props"].keys() - new["props"].keys():
            return None
        was = old["props"]
        props = {name: value for name, value in new["props"].items() if name not in was or was[name] != value}
        found["components"].append([place, props])
    return found


class PageDocument:
    """Sees to it that the document is filled with what there is now, and that browsers are quick with it. None may keep
    it: what it was filled with would be shown, and sent back, at a later visit."""

    def __init__(self, app: AssetDelivery, filling: InitialValues, *, is_open: bool) -> None:
        """`is_open` says that nobody is asked for a password: everybody gets the same document then."""
        self._app = app
        self._filling = filling
        self._is_open = is_open
        self._made: tuple[object, _Answer] | None = None
        self._scripts: dict[str, bytes] = {}
        self._parts = PageParts()
        self._first = LINKS + first_script()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}
        path = scope["path"].removeprefix(scope.get("root_path", "")) if is_page else ""
        if path in self._scripts:
            await sent(self._scripts[path], "text/javascript", _KEPT)(scope, receive, send)
        elif path == MANIFEST_PATH and is_page:
            await sent(MANIFEST, "application/manifest+json", NOT_KEPT)(scope, receive, send)
        elif path not in _PATHS:
            await self._app(scope, receive, send)
        else:
            await self._filling.refresh()
            answer = await self._answer(scope, receive)
            await send({**answer.start, "headers": [*answer.start["headers"]]})
            await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> _Answer:
        """As it was made for the last visitor, where the same would be made again, which takes Gradio long."""
        # What the page's script reads of its address changes nothing here.
        if {
            name for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        } <= _OWN_QUERY:
            scope = {**scope, "query_string": b""}
        addressed = [header for header in scope["headers"] if header[0] in _OF_ADDRESS]
        asked = (
            self._filling.revision,
            scope["method"],
            scope["scheme"],
            scope["path"],
            scope["query_string"],
            addressed,
        )
        if self._made is not None and self._made[0] == asked:
            return self._made[1]
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        start, *parts = messages
        is_for_all = self._is_open and start["status"] == HTTPStatus.OK and not scope["query_string"]
        body = self._in_parts(b"".join(part.get("body", b"") for part in parts), is_for_all=is_for_all)
        headers = MutableHeaders(scope=start)
        headers.update(NOT_KEPT)
        if scope["method"] == "GET":
            headers["content-length"] = str(len(body))
        answer = _Answer(start, body)
        if is_for_all:
            self._made = (asked, answer)
        return answer

    def _in_parts(self, document: bytes, *, is_for_all: bool) -> bytes:
        """Browsers look through a script within a document several times before they run it, and do nothing else
        meanwhile: what the page is made of comes beside it. Whoever knows a script's name gets it, so what is not for
        all stays within. The document that is sent again is the last one that names a script."""
        document = _FRAME_SCRIPT.sub(b"", document)
        first, within = _FIRST_SCRIPT.search(document), _CONFIG.search(document)
        if first is None or within is None:
            return document
        before, after = document[: first.start()], document[first.end() :]
        begin = self._kept(within[1]) if is_for_all else b"<script>" + within[1] + _UNWATCHED + b"</script>"
        # Behind Gradio's own sheet, which resets what the others then set.
        rest, is_head, body = after.partition(_END_OF_HEAD)
        links = self._app.styles.links if is_head else b""
        begin = self._first + begin
        start = self._app.scripts.start(first[1].decode()) or first[0]
        return before[: within.start()] + begin + before[within.end() :] + start + rest + links + is_head + body

    def _kept(self, config: bytes) -> bytes:
        """What of the page is otherwise than in its file, and the file's name."""
        base, changes = self._parts.divided(json.loads(config.removeprefix(_CONFIG_BEGIN).rstrip().rstrip(b";")))
        script = _CONFIG_BEGIN + json.dumps(base, separators=(",", ":")).encode() + b";" + _CHANGE + _UNWATCHED
        path = f"/assets/config-{hashlib.sha256(script).hexdigest()}.js"
        others = [each for each in self._scripts.items() if each[0] != path]
        self._scripts = dict([*others, (path, script)][-_MOST_SCRIPTS:])
        told = json.dumps(changes, separators=(",", ":")).replace("<", "\\u003c")
        return f'<script>window.gradioChanges = {told};</script><script defer src=".{path}"></script>'.encode()
