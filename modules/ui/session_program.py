"""What the Session tab does about the program itself: look, switches, extensions, starting again."""

import asyncio
from typing import Any

import gradio as gr
from gradio.components import Component

from modules.errors import BadRequest
from modules.settings import API_EXTENSION, Settings
from modules.settings_extensions import settings_path
from modules.settings_file import read_settings_file
from modules.ui.page import Page, told
from modules.ui.session_access import check_operator
from modules.ui.session_parts import ProgramParts
from modules.ui.session_switches import CHAT_STYLES, SWITCHES
from modules.ui.session_words import extension_choices, ordered

Shown = dict[Component, Any]


class Program:
    """Handlers ask first whether the request may change the program."""

    def __init__(self, page: Page, parts: ProgramParts) -> None:
        self._page = page
        self._parts = parts

    async def opened(self) -> Shown:
        """For a browser that opens the page: what is stored."""
        settings = self._page.settings
        infos = await asyncio.to_thread(self._page.extensions.available)
        stored = await told(self._stored())
        names = {info.name for info in infos}
        switches = {box: bool(getattr(settings, name)) for name, box in self._parts.switches.items()}
        choices = extension_choices(infos, _flagged(self._page.runtime.settings))
        chosen = [name for name in stored if name in names]
        return {self._parts.extensions: gr.CheckboxGroup(choices=choices, value=chosen), **switches}

    async def save(self, request: gr.Request, extensions: list[str], *switches: bool) -> None:
        await told(self._saved(request, extensions, dict(zip(self._parts.switches, switches, strict=True))))
        gr.Info("Saved. It counts from the next start on.", duration=4)

    async def start_again(self, request: gr.Request) -> None:
        await told(self._started_again(request))

    async def wear(self, request: gr.Request, style: str) -> gr.Chatbot:
        """The conversation in another style, at once and from now on."""
        return await told(self._worn(request, style))

    async def _saved(self, request: gr.Request, extensions: list[str], switches: dict[str, bool]) -> None:
        settings = self._page.settings
        check_operator(settings, request.request.headers)
        self._page.remembered.checked(switches)
        active = ordered(extensions, await self._stored())
        await asyncio.to_thread(self._page.extensions.save, active)
        self._page.remembered.remember({name: is_on for name, is_on in switches.items() if name in SWITCHES})

    async def _started_again(self, request: gr.Request) -> None:
        check_operator(self._page.settings, request.request.headers)
        self._page.extensions.request_restart()

    async def _worn(self, request: gr.Request, style: str) -> gr.Chatbot:
        check_operator(self._page.settings, request.request.headers)
        if style not in {name for _, name in CHAT_STYLES}:
            raise BadRequest("A conversation is shown as panel or as bubbles.", param="chat_style")
        self._page.remembered.remember({"chat_style": style})
        return gr.Chatbot(layout="bubble" if style == "bubbles" else "panel")

    async def _stored(self) -> tuple[str, ...]:
        settings = self._page.settings
        stored = await asyncio.to_thread(read_settings_file, settings_path(settings))
        changes = {"default_extensions": stored.get("default_extensions", ())}
        return settings.with_changes(changes).default_extensions


def _flagged(settings: Settings) -> tuple[str, ...]:
    by_api = settings.api and API_EXTENSION not in settings.default_extensions
    return (*settings.extensions, *((API_EXTENSION,) if by_api else ()))
