"""Characters that come as files and leave as files."""

import asyncio
from pathlib import Path
from typing import Final

from modules.errors import BadRequest
from modules.library.characters.card import MAX_FILE_BYTES
from modules.library.characters.characters import Characters
from modules.library.characters.export import card_file, yaml_file
from modules.library.text_files import read_bytes
from modules.ui.characters.pictures import as_png
from modules.ui.page.access import check_saves
from modules.ui.page.page import Page, notify_errors
from modules.ui.shell.internals import kept_file

FILE_TYPES: Final = [".yaml", ".yml", ".json", ".png", ".charx", ".webp", ".jpg", ".jpeg"]


class CharacterFiles:
    """`folder` is where Gradio serves files from."""

    def __init__(self, page: Page, folder: str) -> None:
        self._page = page
        self._folder = folder

    @property
    def _characters(self) -> Characters:
        return self._page.runtime.library.characters

    async def take_in(self, path: str) -> str:
        """Adds the character in the file; returns the name it got in the menu."""
        return await notify_errors(self._taken_in(Path(path)))

    async def as_yaml(self, file: str | None) -> str:
        """The path of a file for the browser to fetch."""
        return await notify_errors(self._yaml(file))

    async def as_card(self, file: str | None) -> str:
        """As `as_yaml`: the character's picture, which carries the character."""
        return await notify_errors(self._card(file))

    async def _taken_in(self, path: Path) -> str:
        check_saves(self._page.settings)
        content = await asyncio.to_thread(read_bytes, path, limit=MAX_FILE_BYTES)
        return await asyncio.to_thread(self._characters.import_file, path.name, content)

    async def _yaml(self, file: str | None) -> str:
        character = await asyncio.to_thread(self._characters.read, _chosen(file))
        return await asyncio.to_thread(self._served, f"{file}.yaml", yaml_file(character))

    async def _card(self, file: str | None) -> str:
        character = await asyncio.to_thread(self._characters.read, _chosen(file))
        if character.picture is None:
            raise BadRequest("A card is a picture that carries the character. Give the character a picture first.")
        picture = await asyncio.to_thread(as_png, character.picture)
        return await asyncio.to_thread(self._served, f"{file}.png", card_file(character, picture))

    def _served(self, name: str, content: bytes) -> str:
        return kept_file(content, name, self._folder)


def _chosen(file: str | None) -> str:
    if not file:
        raise BadRequest("Choose a character first.", param="character")
    return file
