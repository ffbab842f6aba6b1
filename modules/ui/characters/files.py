"""Characters that come as files and leave as files."""

import asyncio
from typing import Final

from modules.errors import BadRequest
from modules.library.characters.characters import Characters
from modules.library.characters.export import card_file, json_file, yaml_file
from modules.ui.characters.pictures import as_png
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

    async def as_yaml(self, file: str | None) -> str:
        """The path of a file for the browser to fetch."""
        return await notify_errors(self._yaml(file))

    async def as_card(self, file: str | None) -> str:
        """As `as_yaml`: the character's picture, which carries the character."""
        return await notify_errors(self._card(file))

    async def exported(self, file: str, form: str) -> str:
        """As `as_yaml`, in one of the forms that the grid offers. Raises BadRequest."""
        match form:
            case "png":
                return await self._card(file)
            case "json":
                return await self._json(file)
            case "yaml":
                return await self._yaml(file)
        raise BadRequest(f"Characters are not exported as {form!a}.")

    async def _yaml(self, file: str | None) -> str:
        character = await asyncio.to_thread(self._characters.read, _chosen(file))
        return await asyncio.to_thread(self._served, f"{file}.yaml", yaml_file(character))

    async def _json(self, file: str | None) -> str:
        character = await asyncio.to_thread(self._characters.read, _chosen(file))
        return await asyncio.to_thread(self._served, f"{file}.json", json_file(character))

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
