"""The components of the settings' pages General, Extensions and API."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import gradio as gr
from gradio.components import Component

from modules.settings.values import API_EXTENSION, Settings
from modules.ui.page.menus import name_ticks
from modules.ui.session.examples import Endpoint, examples_of
from modules.ui.session.switches import CHAT_STYLES, switches_of

# Only while the tab is open.
_REFRESH_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneralParts:
    """How the page looks, and what counts from the next start on."""

    chat_style: gr.Radio
    switches: dict[str, gr.Checkbox]
    save: gr.Button
    restart: gr.Button


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionParts:
    chosen: gr.CheckboxGroup
    parameters: gr.Textbox
    save: gr.Button
    restart: gr.Button


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramParts:
    """Both pages, which are saved together."""

    general: GeneralParts
    extensions: ExtensionParts

    @property
    def buttons(self) -> list[gr.Button]:
        return [each for part in (self.general, self.extensions) for each in (part.save, part.restart)]

    @property
    def entered(self) -> list[Component]:
        return [self.extensions.chosen, self.extensions.parameters, *self.general.switches.values()]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiParts:
    status: gr.Textbox
    start: gr.Button
    stop: gr.Button
    address: gr.Textbox
    public: gr.Textbox
    key: gr.Textbox
    show_key: gr.Checkbox
    examples: gr.Accordion
    example: gr.Radio
    code: gr.Code
    live: gr.Textbox
    timer: gr.Timer

    @property
    def outputs(self) -> list[Component]:
        places = [self.address, self.public, self.key, self.show_key, self.examples, self.example, self.code]
        return [self.status, self.start, self.stop, *places, self.live]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceParts:
    """A service of some other extension."""

    name: str
    status: gr.Textbox
    start: gr.Button
    stop: gr.Button

    @property
    def outputs(self) -> list[Component]:
        return [self.status, self.start, self.stop]


def general_parts(settings: Settings) -> GeneralParts:
    can_save = not settings.multi_user
    chat_style = gr.Radio(
        list(CHAT_STYLES), value=_style(settings), label="Chat style", interactive=can_save, elem_id="chat-style"
    )
    gr.Markdown("### After the next restart")
    switches = {
        switch.name: gr.Checkbox(
            switch.is_on,
            label=switch.label,
            interactive=can_save,
            elem_id=f"switch-{switch.name}",
        )
        for switch in switches_of(settings)
    }
    save, restart = _save_row("session")
    return GeneralParts(chat_style=chat_style, switches=switches, save=save, restart=restart)


def extension_parts(settings: Settings) -> ExtensionParts:
    can_save = not settings.multi_user
    chosen = name_ticks(
        label="Extensions",
        info="Loaded at start. Those named by flags (--extensions, --api) are always loaded.",
        interactive=can_save,
        elem_id="extensions",
    )
    with gr.Accordion("Extension settings", open=False):
        parameters = gr.Textbox(
            "",
            label="One per line, such as character_bias-activate: true",
            lines=6,
            max_lines=24,
            interactive=can_save,
            elem_id="extension-parameters",
            elem_classes="source",
        )
    save, restart = _save_row("extensions")
    return ExtensionParts(chosen=chosen, parameters=parameters, save=save, restart=restart)


def _save_row(name: str) -> tuple[gr.Button, gr.Button]:
    """Until it is known what is stored, there is nothing to store."""
    with gr.Row(elem_classes="tight"):
        save = gr.Button("Save", size="sm", variant="primary", interactive=False, elem_id=f"{name}-save")
        restart = gr.Button("Save and restart", size="sm", interactive=False, elem_id=f"{name}-restart")
    gr.Markdown("A restart ends all replies and reloads the model.", elem_classes="hint")
    return save, restart


def api_parts() -> ApiParts:
    status, start, stop = _service_row(API_EXTENSION, "Status")
    address = gr.Textbox(label="Address", interactive=False, buttons=["copy"], visible=False, elem_id="api-address")
    public = gr.Textbox(
        label="Public address", interactive=False, buttons=["copy"], visible=False, elem_id="api-public"
    )
    key = gr.Textbox(
        label="API key",
        type="password",
        interactive=False,
        buttons=["copy"],
        visible=False,
        html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
        elem_id="api-key",
    )
    show_key = gr.Checkbox(False, label="Show the API key", visible=False, elem_id="show-api-key")
    with gr.Accordion("Examples", open=True, visible=False, elem_id="api-examples") as examples:
        titles = [each.title for each in examples_of(Endpoint())]
        example = gr.Radio(titles, value=titles[0], show_label=False, label="Example", elem_id="api-example")
        # Invisible until there is something in it: its editor is large, and would be fetched with the page.
        code = gr.Code(
            "",
            label="Example",
            # What scrolls within itself can be reached with a pointer only.
            wrap_lines=True,
            interactive=False,
            buttons=["copy"],
            show_line_numbers=False,
            visible=False,
            elem_id="api-code",
        )
    live = gr.Textbox(label="Requests", interactive=False, elem_id="live-requests")
    return ApiParts(
        status=status,
        start=start,
        stop=stop,
        address=address,
        public=public,
        key=key,
        show_key=show_key,
        examples=examples,
        example=example,
        code=code,
        live=live,
        timer=gr.Timer(_REFRESH_SECONDS, active=False),
    )


def service_parts(names: Sequence[str]) -> tuple[ServiceParts, ...]:
    others = [name for name in names if name != API_EXTENSION]
    if others:
        gr.Markdown("### Other services")
    return tuple(ServiceParts(name=name, **_named(_service_row(name, name))) for name in others)


def _named(row: tuple[gr.Textbox, gr.Button, gr.Button]) -> dict[str, Component]:
    return dict(zip(("status", "start", "stop"), row, strict=True))


def _service_row(name: str, label: str) -> tuple[gr.Textbox, gr.Button, gr.Button]:
    with gr.Row(elem_classes="tight"):
        status = gr.Textbox(label=label, interactive=False, scale=3, elem_id=f"service-{name}")
        start = gr.Button("Start", size="sm", min_width=70, scale=1, elem_id=f"start-{name}")
        stop = gr.Button("Stop", size="sm", min_width=70, scale=1, elem_id=f"stop-{name}")
    return status, start, stop


def _style(settings: Settings) -> str:
    return "bubbles" if settings.chat_style == "bubbles" else "panel"
