"""What the settings do about the program itself: look, switches, extensions, starting again."""

import asyncio
from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from modules.errors import BadRequest
from modules.settings.file import load_file
from modules.settings.groups.extensions import settings_path
from modules.settings.values import API_EXTENSION, Settings
from modules.ui.page.access import check_operator, is_operator
from modules.ui.page.page import Page, notify_errors
from modules.ui.session.layout import ProgramParts
from modules.ui.session.parameters import parameter_changes, parameters_in, parameters_text
from modules.ui.session.switches import CHAT_STYLES
from modules.ui.session.texts import extension_choices, ordered

Shown = dict[Component, Any]


class ProgramHandlers:
    """Handlers ask first whether the request may change the program."""

    def __init__(self, page: Page, parts: ProgramParts) -> None:
        self._page = page
        self._parts = parts

    async def opened(self, request: gr.Request) -> Shown:
        """For somebody who comes to the tab: what is stored. Parameters may hold keys, so operators only see them."""
        page, parts = self._page, self._parts
        infos = await asyncio.to_thread(page.extensions.available)
        names = [info.name for info in infos]
        stored = await notify_errors(self._stored())
        active = [name for name in self._active(stored) if name in names]
        sees_all = is_operator(page.settings, request.request.headers)
        text = parameters_text(parameters_in(stored, names)) if sees_all else ""
        choices = extension_choices(infos, _flagged(page.runtime.settings))
        shown: Shown = {box: bool(getattr(page.settings, name)) for name, box in parts.general.switches.items()}
        can_save = not page.settings.multi_user
        shown |= {button: gr.Button(interactive=can_save) for button in parts.buttons}
        extensions = parts.extensions
        return shown | {
            extensions.chosen: gr.CheckboxGroup(choices=choices, value=active),
            extensions.parameters: text,
        }

    async def save(self, request: gr.Request, extensions: list[str], parameters: str, *switches: bool) -> None:
        names = dict(zip(self._parts.general.switches, switches, strict=True))
        await notify_errors(self._saved(request, extensions, parameters or "", names))
        gr.Info("Saved. Takes effect after a restart.", duration=4)

    async def start_again(self, request: gr.Request) -> None:
        await notify_errors(self._started_again(request))

    async def wear(self, request: gr.Request, style: str) -> gr.Chatbot:
        """The conversation in another style, at once and from now on."""
        return await notify_errors(self._worn(request, style))

    async def _saved(
        self, request: gr.Request, extensions: list[str], parameters: str, switches: dict[str, bool]
    ) -> None:
        page = self._page
        check_operator(page.settings, request.request.headers)
        page.saved_settings.checked(switches)
        stored = await self._stored()
        names = [info.name for info in await asyncio.to_thread(page.extensions.available)]
        changes = parameter_changes(parameters, stored, names)
        active = ordered(extensions, self._active(stored))
        await asyncio.to_thread(page.extensions.save, active, changes)
        page.saved_settings.remember(switches)

    async def _started_again(self, request: gr.Request) -> None:
        check_operator(self._page.settings, request.request.headers)
        self._page.extensions.request_restart()

    async def _worn(self, request: gr.Request, style: str) -> gr.Chatbot:
        check_operator(self._page.settings, request.request.headers)
        if style not in {name for _, name in CHAT_STYLES}:
            raise BadRequest("A conversation is shown as panel or as bubbles.", param="chat_style")
        self._page.saved_settings.remember({"chat_style": style})
        return gr.Chatbot(layout="bubble" if style == "bubbles" else "panel")

    async def _stored(self) -> dict[str, object]:
        return await asyncio.to_thread(load_file, settings_path(self._page.settings))

    def _active(self, stored: Mapping[str, object]) -> tuple[str, ...]:
        """Raises SettingsError for what is no list of names."""
        changes = {"default_extensions": stored.get("default_extensions") or ()}
        return self._page.settings.with_changes(changes).default_extensions


def _flagged(settings: Settings) -> tuple[str, ...]:
    by_api = settings.api and API_EXTENSION not in settings.default_extensions
    return (*settings.extensions, *((API_EXTENSION,) if by_api else ()))
