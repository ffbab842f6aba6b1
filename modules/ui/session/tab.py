"""The Session tab: how the page looks, what starts with the program, and the API that it serves."""

from typing import Any, Final

import gradio as gr

from modules.ui.characters.avatars import chatbots
from modules.ui.page.page import Page
from modules.ui.session.layout import ApiParts, ProgramParts, ServiceParts, api_parts, program_parts, service_parts
from modules.ui.session.program import ProgramHandlers
from modules.ui.session.services import ApiService, OtherService
from modules.ui.shell.internals import current_tab

_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}
_OTHER_LOOK: Final = "() => window.wearLook(document.body.classList.contains('dark') ? 'light' : 'dark')"
_SYSTEM_LOOK: Final = "() => window.wearLook('system')"
_AWAIT_RESTART: Final = "() => window.awaitRestart()"


def build_session(page: Page) -> None:
    """To be called within the tab."""
    tab = current_tab()
    with gr.Row():
        with gr.Column(min_width=320):
            api = api_parts()
            others = service_parts(page.extensions.services.names)
        with gr.Column(min_width=320):
            program = program_parts(page.settings)
    _connect_program(page, program, tab)
    _connect_api(page, api, tab)
    for parts in others:
        _connect_other(page, parts, tab)


def _connect_program(page: Page, parts: ProgramParts, tab: gr.Tab) -> None:
    program = ProgramHandlers(page, parts)
    entered = [parts.extensions, parts.parameters, *parts.switches.values()]
    is_filled = gr.State(False)

    async def fill(filled: bool, request: gr.Request) -> Any:  # noqa: ANN401 - what Gradio takes for nothing is no dict
        """The first time that somebody comes: later there may be changes that are not saved yet."""
        return gr.skip() if filled else {is_filled: True, **await program.opened(request)}

    tab.select(fill, [is_filled], [is_filled, parts.save, parts.restart, *entered], **_QUIET)
    parts.look.click(None, None, None, js=_OTHER_LOOK, api_visibility="private")
    parts.system_look.click(None, None, None, js=_SYSTEM_LOOK, api_visibility="private")
    parts.save.click(program.save, entered, None, **_QUIET)
    saved = parts.restart.click(program.save, entered, None, **_QUIET)
    saved.success(None, None, None, js=_AWAIT_RESTART, api_visibility="private")
    saved.success(program.start_again, None, None, **_QUIET)

    def connect_style() -> None:
        for chat in chatbots():
            parts.chat_style.input(program.wear, [parts.chat_style], [chat], trigger_mode="always_last", **_QUIET)

    page.on_ready(connect_style)


def _connect_api(page: Page, parts: ApiParts, tab: gr.Tab) -> None:
    api = ApiService(page, parts)
    parts.start.click(api.start, None, parts.outputs, **_QUIET)
    parts.stop.click(api.stop, None, parts.outputs, **_QUIET)
    parts.show_key.input(api.reveal, [parts.show_key], [parts.key], **_QUIET)
    parts.example.input(api.example, [parts.example], [parts.code], trigger_mode="always_last", **_QUIET)
    seen = [parts.status, parts.address, parts.live]
    parts.timer.tick(api.refreshed, seen, parts.outputs, trigger_mode="once", **_QUIET)

    def watch(chosen: gr.SelectData) -> gr.Timer:
        """Only who looks at this tab asks again and again."""
        return gr.Timer(active=chosen.value == tab.label)

    tab.parent.select(watch, None, [parts.timer], **_QUIET)
    tab.select(api.refreshed, seen, parts.outputs, **_QUIET)


def _connect_other(page: Page, parts: ServiceParts, tab: gr.Tab) -> None:
    service = OtherService(page, parts)
    tab.select(service.shown, None, parts.outputs, **_QUIET)
    parts.start.click(service.start, None, parts.outputs, **_QUIET)
    parts.stop.click(service.stop, None, parts.outputs, **_QUIET)
