"""The characters as cards with pictures: what a press on one does, and what its menu offers."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.errors import BadRequest
from modules.library.characters.character import Character
from modules.library.characters.characters import Characters
from modules.requests import Mode
from modules.ui.characters.pictures import avatar
from modules.ui.page.page import Page, notify_errors
from modules.ui.page.thumbnails import Thumbnails
from modules.ui.shell.internals import sent_data

_GRID: Final = """
window.characterGrid.connect(element, (act) => trigger('submit', act), () => props.value);
watch('value', () => window.characterGrid.draw());
"""
_TALK: Final = """
window.talkTo = (file) => trigger('submit', { file });
"""
# Longer ones are cut by the browser.
MOST_TEXT: Final = 300


def character_grid() -> gr.HTML:
    """To be called where it shall stand."""
    return gr.HTML(
        "",
        html_template='<div class="character-grid"></div>',
        js_on_load=_GRID,
        elem_id="character-grid",
        padding=False,
        apply_default_css=False,
    )


def talk_bridge() -> gr.HTML:
    """By which the page's script has a chat with a character begun, from any section."""
    return gr.HTML("", html_template="", js_on_load=_TALK, elem_id="talk-bridge", visible=True)


class CharacterCards:
    """What the grid shows, as JSON."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._thumbnails = Thumbnails()

    async def shown(self) -> str:
        return json.dumps(await asyncio.to_thread(self._cards), ensure_ascii=False)

    def _cards(self) -> list[dict[str, Any]]:
        characters = self._page.runtime.library.characters
        return [self._card(name, characters) for name in characters.names()]

    def _card(self, file: str, characters: Characters) -> dict[str, Any]:
        """A damaged file is shown with what is wrong with it."""
        try:
            character = characters.read(file)
        except BadRequest as error:
            return {"file": file, "name": file, "text": error.message, "tags": [], "picture": "", "broken": True}
        return {
            "file": file,
            "name": character.name,
            "text": _about(character),
            "tags": list(character.tags),
            "picture": avatar(character.picture, self._thumbnails),
            "broken": False,
        }


def _about(character: Character) -> str:
    text = " ".join((character.creator_notes or character.context).split())[:MOST_TEXT]
    return text.replace("{{char}}", character.nickname or character.name).replace("{{user}}", "you")


def connect_talk(page: Page, bridge: gr.HTML) -> None:
    """Once all tabs are built: the mode and the character are chosen as if by hand, and a new chat begins."""

    async def chosen(event: gr.EventData) -> Mapping[Component, Any]:
        return await notify_errors(_chosen(page, str(sent_data(event).get("file") or "")))

    outputs = [page.inputs[name] for name in ("mode", "character", "user")]
    talk = bridge.submit(chosen, None, outputs, show_progress="hidden", api_visibility="private")
    talk.success(None, None, None, js="() => window.characterGrid.begin()", api_visibility="private")


async def _chosen(page: Page, file: str) -> Mapping[Component, Any]:
    characters = page.runtime.library.characters
    await asyncio.to_thread(characters.read, file)
    names = await asyncio.to_thread(characters.names)
    mode = Mode(page.settings.mode)
    return {
        page.inputs["mode"]: Mode.CHAT.value if mode is Mode.INSTRUCT else mode.value,
        page.inputs["character"]: gr.Dropdown(choices=names, value=file, visible=True),
        page.inputs["user"]: gr.Dropdown(visible=True),
    }
