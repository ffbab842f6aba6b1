"""What the menu of a character in the grid does."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import gradio as gr

from modules.errors import BadRequest
from modules.library.characters.pictures import MAX_PICTURE_BYTES
from modules.library.text_files import read_bytes
from modules.ui.characters.dropping import NEWS
from modules.ui.characters.files import CharacterFiles
from modules.ui.characters.form import Form, FormParts, Shown
from modules.ui.characters.grid import CharacterCards
from modules.ui.page.access import check_saves
from modules.ui.page.page import Page, notify_errors
from modules.ui.shell.internals import cache_folder, current_page, sent_data

DOWNLOAD: Final = "character-download"

_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}
_AFTER: Final = "() => window.characterGrid.after()"


class GridActs:
    """The editor below the grid shows what was edited, copied or imported last."""

    def __init__(self, page: Page, form: Form, parts: FormParts, grid: gr.HTML, download: gr.DownloadButton) -> None:
        self._page = page
        self._form = form
        self._parts = parts
        self._grid = grid
        self._download = download
        self._cards = CharacterCards(page)
        self._files = CharacterFiles(page, cache_folder(parts.picture))

    def connect(self) -> list[Any]:
        """Returns the events after which there may be other characters."""
        acted = self._grid.submit(self.act, [self._parts.menu], [*self._parts.outputs, self._download], **_QUIET)
        acted.success(None, None, None, js=_AFTER, api_visibility="private")
        return [acted]

    def follow(self, changes: list[Any], *tabs: gr.Tab) -> None:
        """Once all tabs are built: the grid shows what there is, and the editor what was imported."""
        for tab in tabs:
            tab.select(self._cards.shown, None, [self._grid], **_QUIET)
        for change in changes:
            change.success(self._cards.shown, None, [self._grid], **_QUIET)
        for news in current_page().blocks.values():
            if isinstance(news, gr.HTML) and news.elem_id == NEWS:
                told = news.change(self.told, [news], self._parts.outputs, **_QUIET)
                told.success(self._cards.shown, None, [self._grid], **_QUIET)
                changes.append(told)

    async def told(self, news: str) -> Shown:
        """Of a file that was dropped."""
        try:
            told = json.loads(news) if news else {}
        except ValueError:
            return {}
        is_added = isinstance(told, dict) and told.get("kind") in {"added", "known"}
        return await self._form.added(str(told.get("file"))) if is_added else {}

    async def act(self, shown: str | None, event: gr.EventData) -> Shown:
        asked = sent_data(event)
        return await notify_errors(self._acted(str(asked.get("act")), str(asked.get("file") or ""), shown, asked))

    async def _acted(self, act: str, file: str, shown: str | None, asked: Mapping[str, Any]) -> Shown:
        match act:
            case "edit":
                return await self._form.chosen(file)
            case "duplicate":
                return await self._form.chosen(await asyncio.to_thread(self._copied, file))
            case "delete":
                return await self._form.delete(file, file)
            case "export":
                return {self._download: await self._files.exported(file, str(asked.get("form")))}
        raise BadRequest("The page asked for something that cannot be done with a character.")

    def _copied(self, file: str) -> str:
        check_saves(self._page.settings)
        characters = self._page.runtime.library.characters
        character = characters.read(file)
        picture = None if character.picture is None else read_bytes(character.picture, limit=MAX_PICTURE_BYTES)
        name = characters.unused_name(file)
        characters.save(name, character, picture=picture)
        return name
