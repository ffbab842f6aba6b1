"""Settings of the program: how the page looks, extensions, and the API that it serves."""

from typing import Any, Final

import gradio as gr

from modules.ui.characters.avatars import chatbots
from modules.ui.page.languages import is_said
from modules.ui.page.page import Page
from modules.ui.session.layout import (
    ApiParts,
    GeneralParts,
    ProgramParts,
    ServiceParts,
    api_parts,
    extension_parts,
    general_parts,
    service_parts,
)
from modules.ui.session.program import ProgramHandlers
from modules.ui.session.services import ApiService, OtherService
from modules.ui.shell.internals import current_tab

_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}
_AWAIT_RESTART: Final = "() => window.awaitRestart()"


class ProgramPages:
    """General and Extensions: two pages of the settings, which are saved together."""

    def __init__(self) -> None:
        self._general: tuple[GeneralParts, gr.Tab] | None = None

    def build_general(self, page: Page) -> None:
        """To be called within its tab."""
        self._general = general_parts(page.settings), current_tab()

    def build_extensions(self, page: Page) -> None:
        """To be called within its tab, once General is built."""
        assert self._general is not None
        general, general_tab = self._general
        parts = ProgramParts(general=general, extensions=extension_parts(page.settings))
        _connect_program(page, parts, [general_tab, current_tab()])


def build_api(page: Page) -> None:
    """To be called within its tab, which is one of several within a section of the page."""
    tab = current_tab()
    api = api_parts()
    others = service_parts(page.extensions.services.names)
    _connect_api(page, api, tab)
    for parts in others:
        _connect_other(page, parts, tab)


def _connect_program(page: Page, parts: ProgramParts, tabs: list[gr.Tab]) -> None:
    program = ProgramHandlers(page, parts)
    entered = parts.entered
    is_filled = gr.State(False)

    async def fill(filled: bool, request: gr.Request) -> Any:  # noqa: ANN401 - what Gradio takes for nothing is no dict
        """The first time that somebody comes: later there may be changes that are not saved yet."""
        return gr.skip() if filled else {is_filled: True, **await program.opened(request)}

    gr.on([tab.select for tab in tabs], fill, [is_filled], [is_filled, *parts.buttons, *entered], **_QUIET)
    for each in (parts.general, parts.extensions):
        each.save.click(program.save, entered, None, **_QUIET)
        saved = each.restart.click(program.save, entered, None, **_QUIET)
        saved.success(None, None, None, js=_AWAIT_RESTART, api_visibility="private")
        saved.success(program.start_again, None, None, **_QUIET)
    style = parts.general.chat_style

    def connect_style() -> None:
        for chat in chatbots():
            style.input(program.wear, [style], [chat], trigger_mode="always_last", **_QUIET)

    page.on_ready(connect_style)


def _connect_api(page: Page, parts: ApiParts, tab: gr.Tab) -> None:
    api = ApiService(page, parts)
    parts.start.click(api.start, None, parts.outputs, **_QUIET)
    parts.stop.click(api.stop, None, parts.outputs, **_QUIET)
    parts.show_key.input(api.reveal, [parts.show_key], [parts.key], **_QUIET)
    parts.example.input(api.example, [parts.example], [parts.code], trigger_mode="always_last", **_QUIET)
    seen = [parts.status, parts.address, parts.live]
    parts.timer.tick(api.refreshed, seen, parts.outputs, trigger_mode="once", **_QUIET)
    _watch_while_shown(parts.timer, tab)
    tab.select(api.refreshed, seen, parts.outputs, **_QUIET)


def _watch_while_shown(timer: gr.Timer, tab: gr.Tab) -> None:
    """Only who looks at this page asks again and again: it is chosen in its section, and the section is."""
    section = tab.parent.parent
    while not isinstance(section, gr.Tab):
        section = section.parent
    is_chosen = gr.State(False)

    def choose(chosen: gr.SelectData) -> tuple[bool, gr.Timer]:
        is_own = is_said(tab.label, chosen.value)
        return is_own, gr.Timer(active=is_own)

    def come(chosen: gr.SelectData, is_own: bool) -> gr.Timer:
        return gr.Timer(active=is_own and is_said(section.label, chosen.value))

    tab.parent.select(choose, None, [is_chosen, timer], **_QUIET)
    section.parent.select(come, [is_chosen], [timer], **_QUIET)


def _connect_other(page: Page, parts: ServiceParts, tab: gr.Tab) -> None:
    service = OtherService(page, parts)
    tab.select(service.shown, None, parts.outputs, **_QUIET)
    parts.start.click(service.start, None, parts.outputs, **_QUIET)
    parts.stop.click(service.stop, None, parts.outputs, **_QUIET)
