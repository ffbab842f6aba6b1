"""Characters and lorebooks that are dropped anywhere on the page, or chosen as files."""

import asyncio
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import gradio as gr
from gradio.components import Component

from modules.errors import BadRequest, ServiceError
from modules.library.characters.card import MAX_FILE_BYTES
from modules.library.characters.characters import Imported, file_name_for
from modules.library.lorebooks.book import Lorebook
from modules.library.lorebooks.formats import is_lorebook
from modules.library.lorebooks.lorebooks import parse_book
from modules.library.text_files import as_mapping, decoded, parse_json, read_bytes
from modules.ui.characters.files import FILE_TYPES
from modules.ui.characters.grid import connect_talk, talk_bridge
from modules.ui.page.access import check_saves
from modules.ui.page.page import Page
from modules.ui.shell.internals import sent_data

Shown: TypeAlias = dict[Component, Any]

_NEWS: Final = """
window.cardDrop.connect((act) => trigger('submit', act));
watch('value', () => window.cardDrop.tell(props.value));
"""
NEWS: Final = "card-news"
# The file menu of the hidden field.
CHOOSE_FILE: Final = "() => document.querySelector('#card-drop input[type=file]')?.click()"
_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True, slots=True)
class DropParts:
    """`news` tells the page's script what became of a file; `waiting` is an import that the user is asked about."""

    file: gr.File
    news: gr.HTML
    waiting: gr.State


def card_drop(page: Page) -> None:
    """To be called outside of all tabs: what stands in one is built when it is opened."""
    file = gr.File(visible="hidden", file_types=FILE_TYPES, elem_id="card-drop", file_count="single", type="filepath")
    news = gr.HTML("", html_template="", js_on_load=_NEWS, elem_id=NEWS, visible=True)
    bridge = talk_bridge()
    parts = DropParts(file, news, gr.State(None))
    drop = CardDrop(page, parts)
    outputs: list[Component] = [parts.news, parts.waiting, parts.file]
    file.upload(drop.opened, [file], outputs, **_QUIET)
    news.submit(drop.decided, [parts.waiting], outputs, **_QUIET)
    page.on_ready(lambda: connect_talk(page, bridge))


class CardDrop:
    """Nothing is replaced without asking."""

    def __init__(self, page: Page, parts: DropParts) -> None:
        self._page = page
        self._parts = parts
        self._library = page.runtime.library

    async def opened(self, path: str | None) -> Shown:
        """A file that has arrived."""
        if not path:
            return {}
        return await self._told(self._opened(Path(path)))

    async def decided(self, waiting: Imported | None, event: gr.EventData) -> Shown:
        """What the user has answered about `waiting`."""
        return await self._told(self._added(waiting, replaces=sent_data(event).get("act") == "replace"))

    async def _told(self, work: Any) -> Shown:  # noqa: ANN401 - a coroutine
        try:
            told, waiting = await work
        except ServiceError as error:
            told, waiting = {"kind": "failed", "message": error.message}, None
        # The same news twice would be none the second time; a field that holds a file takes no other one.
        news = json.dumps(told | {"id": secrets.token_hex(4)}, ensure_ascii=False)
        return {self._parts.news: news, self._parts.waiting: waiting, self._parts.file: None}

    async def _opened(self, path: Path) -> tuple[dict[str, Any], Imported | None]:
        check_saves(self._page.settings)
        content = await asyncio.to_thread(read_bytes, path, limit=MAX_FILE_BYTES)
        book = await asyncio.to_thread(_lorebook, content, path.name)
        if book is not None:
            return await asyncio.to_thread(self._kept_book, path.stem, book), None
        imported = await asyncio.to_thread(self._library.characters.opened_file, path.name, content)
        if imported.is_same:
            return _news("known", imported.file, imported), None
        if imported.is_taken:
            return _news("taken", imported.file, imported), imported
        return await self._added(imported, replaces=False)

    async def _added(self, waiting: Imported | None, *, replaces: bool) -> tuple[dict[str, Any], None]:
        check_saves(self._page.settings)
        if waiting is None:
            raise BadRequest("The file is no longer here. Drop it once more.")
        file = await asyncio.to_thread(self._library.characters.add, waiting, replaces=replaces)
        return _news("added", file, waiting), None

    def _kept_book(self, name: str, book: Lorebook) -> dict[str, Any]:
        file = self._library.lorebooks.unused_name(file_name_for(book.name or name))
        self._library.lorebooks.save(file, book)
        return {"kind": "lorebook", "file": file, "entries": len(book.entries), "unused": list(book.unused)}


def _news(kind: str, file: str, imported: Imported) -> dict[str, Any]:
    return {"kind": kind, "file": file, "name": imported.character.name, "notes": list(imported.notes)}


def _lorebook(content: bytes, file_name: str) -> Lorebook | None:
    """None for what is a character, or nothing."""
    if not content.lstrip().startswith(b"{"):
        return None
    fields = as_mapping(parse_json(decoded(content, file_name), file_name), file_name)
    return parse_book(content, file_name) if is_lorebook(fields) and "first_mes" not in fields else None
