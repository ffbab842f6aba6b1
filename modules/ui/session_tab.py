"""The Session tab: how the page looks, what starts with the program, and the API that it serves."""

from typing import Any, Final

import gradio as gr

from modules.ui.character_avatars import chatbots
from modules.ui.page import Page
from modules.ui.session_parts import ApiParts, ProgramParts, ServiceParts, api_parts, program_parts, service_parts
from modules.ui.session_program import Program
from modules.ui.session_services import ApiService, OtherService

_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}
_OTHER_LOOK: Final = "() => window.wearLook(document.body.classList.contains('dark') ? 'light' : 'dark')"
_AWAIT_RESTART: Final = "() => window.awaitRestart()"


def build_session(page: Page) -> None:
    """To be called within the tab."""
    tab = gr.context.Context.block
    with gr.Row():
        with gr.Column(min_width=320):
            api = api_parts()
            others = service_parts(page.extensions.services.names)
        with gr.Column(min_width=320):
            program = program_parts(page.settings)
    _connect_program(page, program)
    _connect_api(page, api, tab)
    for parts in others:
        _connect_other(page, parts)


def _connect_program(page: Page, parts: ProgramParts) -> None:
    program = Program(page, parts)
    entered = [parts.extensions, parts.parameters, *parts.switches.values()]
    page.on_open(program.opened, entered)
    parts.look.click(None, None, None, js=_OTHER_LOOK, api_visibility="private")
    parts.save.click(program.save, entered, None, **_QUIET)
    saved = parts.restart.click(program.save, entered, None, **_QUIET)
    saved.success(None, None, None, js=_AWAIT_RESTART, api_visibility="private")
    saved.success(program.start_again, None, None, **_QUIET)

    def connect_style() -> None:
        for chat in chatbots():
            parts.chat_style.input(program.wear, [parts.chat_style], [chat], **_QUIET)

    page.on_ready(connect_style)


def _connect_api(page: Page, parts: ApiParts, tab: Any) -> None:  # noqa: ANN401 - Gradio's block
    api = ApiService(page, parts)
    page.on_open(api.shown, parts.outputs)
    parts.start.click(api.start, None, parts.outputs, **_QUIET)
    parts.stop.click(api.stop, None, parts.outputs, **_QUIET)
    parts.show_key.input(api.reveal, [parts.show_key], [parts.key], **_QUIET)
    parts.example.input(api.example, [parts.example], [parts.code], **_QUIET)
    seen = [parts.status, parts.address, parts.live]
    parts.timer.tick(api.refreshed, seen, parts.outputs, trigger_mode="once", **_QUIET)
    if not isinstance(tab, gr.Tab):
        return

    def watch(chosen: gr.SelectData) -> gr.Timer:
        """Only who looks at this tab asks again and again."""
        return gr.Timer(active=chosen.value == tab.label)

    tab.parent.select(watch, None, [parts.timer], **_QUIET)
    tab.select(api.refreshed, seen, parts.outputs, **_QUIET)


def _connect_other(page: Page, parts: ServiceParts) -> None:
    service = OtherService(page, parts)
    page.on_open(service.shown, parts.outputs)
    parts.start.click(service.start, None, parts.outputs, **_QUIET)
    parts.stop.click(service.stop, None, parts.outputs, **_QUIET)
