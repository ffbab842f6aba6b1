"""The section Prompts of the settings: prompts are written, changed and deleted there."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import gradio as gr

from modules.errors import BadRequest, ServiceError
from modules.library.prompts import LibraryPrompt
from modules.ui.page.access import check_saves
from modules.ui.page.languages import text
from modules.ui.page.page import Page
from modules.ui.palette.finder import shown

_CONNECT: Final = "window.prompts.manage(element, server);"
_BROKEN: Final = "Invalid request. Reload the page and try again."


def build_prompts(page: Page) -> None:
    """To be called where the section stands."""
    library = page.runtime.library.prompts

    async def answer(change: Callable[[], object] | None) -> dict[str, Any]:
        try:
            if change is not None:
                check_saves(page.settings)
                await asyncio.to_thread(change)
            return shown(await asyncio.to_thread(library.all))
        except ServiceError as error:
            return {"error": text(error.message)}

    # Gradio marks what may be called, and passes what is sent as one value.
    async def prompts(_: object = None) -> dict[str, Any]:
        return await answer(None)

    async def save(sent: object) -> dict[str, Any]:
        return await answer(lambda: library.save(_prompt(sent)))

    async def remove(sent: object) -> dict[str, Any]:
        return await answer(lambda: library.delete(_text(sent)))

    gr.HTML(
        "",
        html_template="",
        js_on_load=_CONNECT,
        server_functions=[prompts, save, remove],
        elem_id="prompt-library",
        apply_default_css=False,
    )


def _prompt(sent: object) -> LibraryPrompt:
    if not isinstance(sent, Mapping):
        raise BadRequest(_BROKEN)
    tags = sent.get("tags", [])
    return LibraryPrompt(
        id=_text(sent.get("id", "")),
        name=_text(sent.get("name", "")),
        description=_text(sent.get("description", "")),
        tags=tuple(map(_text, tags)) if isinstance(tags, list) else (),
        text=_text(sent.get("text", "")),
    )


def _text(sent: object) -> str:
    if not isinstance(sent, str):
        raise BadRequest(_BROKEN)
    return sent
