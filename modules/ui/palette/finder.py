"""What the command palette and the prompt menu ask the server for."""

import asyncio
import dataclasses
from typing import Any, Final

import gradio as gr

from modules.errors import ServiceError
from modules.library.prompts import PromptListing
from modules.ui.page.page import Page

_MOST_CHATS: Final = 8
_CONNECT: Final = "window.palette.connect(server, (act) => trigger('submit', act));"


class PaletteFinder:
    """Answers are plain values for the page's script. Visitors who do not know each other find no chats."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def build(self) -> gr.HTML:
        """To be called within the page; nothing of it can be seen."""

        # Gradio marks what may be called, which it cannot mark at methods; whatever is sent comes as one value.
        async def things(_: object = None) -> dict[str, Any]:
            return await self.things()

        async def chats(words: object) -> list[dict[str, str]]:
            return await self.chats(words if isinstance(words, str) else "")

        return gr.HTML(
            "",
            html_template="",
            js_on_load=_CONNECT,
            server_functions=[things, chats],
            elem_id="palette-host",
        )

    async def things(self) -> dict[str, Any]:
        """Models, presets and prompts."""
        library = self._page.runtime.library
        listing = await asyncio.to_thread(library.prompts.all)
        return {
            "models": list(await asyncio.to_thread(self._page.runtime.models.list_models)),
            "presets": await asyncio.to_thread(library.presets.names),
            **shown(listing),
        }

    async def chats(self, words: str) -> list[dict[str, str]]:
        """In which all the words occur, of every character; without words, none."""
        if self._page.settings.multi_user or not words.strip():
            return []
        histories = self._page.runtime.library.histories
        try:
            hits = await asyncio.to_thread(histories.search, words, limit=_MOST_CHATS)
        except ServiceError:
            return []
        return [
            {"id": hit.id, "title": hit.title, "passage": hit.snippet, "character": hit.place.character or ""}
            for hit in hits
        ]


def shown(listing: PromptListing) -> dict[str, Any]:
    prompts = [dataclasses.asdict(prompt) | {"tags": list(prompt.tags)} for prompt in listing.prompts]
    return {"prompts": prompts, "problems": list(listing.problems)}
