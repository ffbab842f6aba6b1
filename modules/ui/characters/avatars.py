"""The pictures beside messages in the modes in which a character speaks."""

import asyncio
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.errors import BadRequest
from modules.requests import Mode
from modules.settings.values import Settings
from modules.ui.characters.pictures import avatar
from modules.ui.page.page import Page
from modules.ui.page.thumbnails import Thumbnails
from modules.ui.shell.internals import current_page

_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}
_CHATS: Final = ("chat", "live")
_CHOICES: Final = ("mode", "character", "user")


def connect_avatars(page: Page, changes: list[Any]) -> None:
    """To be called when all tabs are built: the chat's pictures follow its menus, and `changes` of what there is."""
    chats = chatbots()
    if not chats or not all(name in page.inputs for name in _CHOICES):
        return
    avatars = Avatars(page, chats)
    menus = [page.inputs[name] for name in _CHOICES]
    page.fill_in(avatars.of_remembered, chats)
    # The persona's menu follows the chat that is shown.
    chosen = [page.inputs["mode"].input, page.inputs["character"].input, page.inputs["user"].change]
    for choose in chosen:
        choose(avatars.of_chosen, menus, chats, trigger_mode="always_last", **_QUIET)
    for change in changes:
        change.success(avatars.of_remembered, None, chats, **_QUIET)


def chatbots() -> list[Component]:
    """The chat and the reply that is being written, of the page that is being built."""
    return [
        block for block in current_page().blocks.values() if isinstance(block, gr.Chatbot) and block.elem_id in _CHATS
    ]


class Avatars:
    def __init__(self, page: Page, chats: list[Component]) -> None:
        self._page = page
        self._chats = chats
        self._thumbnails = Thumbnails()

    async def of_remembered(self) -> dict[Component, Any]:
        return await self._of(self._page.settings)

    async def of_chosen(self, mode: str, character: str, user: str) -> dict[Component, Any]:
        chosen = {"mode": mode, "character": character, "user": user}
        return await self._of(self._page.settings.with_changes(chosen))

    async def _of(self, settings: Settings) -> dict[Component, Any]:
        pictures = await asyncio.to_thread(self._pictures, settings)
        return {chat: gr.Chatbot(avatar_images=pictures) for chat in self._chats}

    def _pictures(self, settings: Settings) -> tuple[dict[str, str] | None, dict[str, str] | None]:
        """Of the user and of the character, as Gradio knows files; None for nobody's."""
        if Mode(settings.mode) is Mode.INSTRUCT:
            return None, None
        library = self._page.runtime.library
        try:
            found = library.users.read(settings.user).picture, library.characters.read(settings.character).picture
        except BadRequest:
            return None, None
        user, character = (avatar(picture, self._thumbnails) for picture in found)
        return _file(user), _file(character)


def _file(url: str) -> dict[str, str] | None:
    return {"path": "", "url": url} if url else None
