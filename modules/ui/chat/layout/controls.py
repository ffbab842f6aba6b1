"""The components of the inspector's Chat tab: what the next reply is made with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.errors import ServiceError
from modules.ui.page.menus import name_menu
from modules.ui.page.page import Page

MODES: Final = [("Assistant", "instruct"), ("Character", "chat"), ("Character via instruct template", "chat-instruct")]
EFFORTS: Final = ["none", "minimal", "low", "medium", "high", "xhigh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """What the next reply is made with, besides sampling and tools."""

    mode: gr.Radio
    character: gr.Dropdown
    user: gr.Dropdown
    thinking: Component
    effort: Component


def controls(page: Page) -> Controls:
    """To be called where they shall stand."""
    settings, add = page.settings, page.inputs.add
    mode = gr.Radio(MODES, value=settings.mode, label="Mode", elem_id="mode")
    character = name_menu(
        [settings.character], value=settings.character, label="Character", elem_id="character", visible=False
    )
    user = name_menu([settings.user], value=settings.user, label="User", elem_id="user", visible=False)
    system = gr.Textbox(
        settings.custom_system_message,
        label="System prompt",
        placeholder="How the assistant is to behave, in every chat without a character.",
        lines=3,
        max_lines=16,
        elem_id="system-message",
    )
    add("custom_system_message", system)
    gr.HTML(_LIBRARY, padding=False, apply_default_css=False)
    thinking = gr.Checkbox(settings.enable_thinking, label="Thinking", elem_id="thinking")
    effort = name_menu(EFFORTS, value=settings.reasoning_effort, label="Reasoning effort", elem_id="effort")
    for name, component in {"mode": mode, "character": character, "user": user}.items():
        add(name, component)
    for name, component in {"enable_thinking": thinking, "reasoning_effort": effort}.items():
        add(name, component)
    return Controls(
        mode=mode,
        character=character,
        user=user,
        thinking=thinking,
        effort=effort,
    )


def further_controls(page: Page) -> None:
    """To be called below them."""
    settings, add = page.settings, page.inputs.add
    _texts(page)
    _voice(page)
    with gr.Accordion("Attachments and files", open=False):
        add(
            "include_past_attachments",
            gr.Checkbox(settings.include_past_attachments, label="Include attachments of earlier messages"),
        )


def _voice(page: Page) -> None:
    settings, add = page.settings, page.inputs.add
    # What the page's script looks at stands outside: Gradio builds what is folded only when it is opened.
    add("read_aloud", gr.Checkbox(settings.read_aloud, label="Read replies aloud", elem_id="read-replies"))
    with gr.Accordion("Voice", open=False):
        chosen = settings.speech_voice
        menu = name_menu(
            _voices([chosen] if chosen else []),
            value=chosen,
            label="Voice",
            info="Of characters that have none of their own.",
            allow_custom_value=True,
            elem_id="speech-voice",
        )
        add("speech_voice", menu)

    async def voices() -> Mapping[Component, Any]:
        try:
            models = await page.runtime.speech.models()
        except ServiceError:
            models = ()
        return {menu: gr.Dropdown(choices=_voices([name for model in models for name in model.voices.names]))}

    page.fill_in(voices, [menu])


def _voices(names: Sequence[str]) -> list[tuple[str, str]]:
    return [("The model's first", ""), *((name, name) for name in names)]


# The page's script does what it says.
_LIBRARY: Final = '<button type="button" class="library-button" data-prompts-for="system-message" aria-haspopup="dialog">Library ▾</button>'


def _texts(page: Page) -> None:
    settings, add = page.settings, page.inputs.add
    add("start_with", gr.Textbox(settings.start_with, label="Prefill (start reply with)", elem_id="start-with"))
    with gr.Accordion("Chat-instruct command", open=False, elem_classes="expert"):
        add(
            "chat_instruct_command",
            gr.Textbox(
                settings.chat_instruct_command,
                label="Command",
                info="<|character|> stands for the character's name, <|prompt|> for the dialogue.",
                lines=4,
            ),
        )
