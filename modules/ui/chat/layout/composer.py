"""The components in which messages are written."""

from dataclasses import dataclass
from typing import Final

import gradio as gr

from modules.settings.values import Settings
from modules.ui.chat.model import GateParts, gate_parts
from modules.ui.model.notice import NoticeParts, notice_parts

FILE_TYPES: Final = ["image", "text", ".pdf", ".docx", ".md", ".json", ".csv", ".py", ".yaml", ".toml", ".html", ".xml"]
# The page's script shows it.
_TEMPORARY: Final = (
    '<i class="icon icon-ghost" aria-hidden="true"></i>Temporary chat: nothing of it is saved, and it is gone when you '
    "leave it or reload the page."
)
# What the page's script and the server say to each other of sizes and speeds.
_METER: Final = """
window.composerMeter.connect((asked) => trigger('submit', asked), () => props.value);
watch('value', () => window.composerMeter.apply(props.value));
"""
# What the page's script asks for: a message's number and its new words.
_RESEND: Final = "window.chatPage.resends((asked) => trigger('submit', asked));"


@dataclass(frozen=True, slots=True, kw_only=True)
class Composer:
    """Below the conversation: what is in the way of an answer, the message box, and acts on the conversation's end."""

    box: gr.MultimodalTextbox
    gate: GateParts
    notice: NoticeParts
    regenerate: gr.Button
    go_on: gr.Button
    remove: gr.Button
    impersonate: gr.Button
    dummy_message: gr.Button
    dummy_reply: gr.Button
    count: gr.Button
    resend: gr.HTML
    meter: gr.HTML


def composer(settings: Settings) -> Composer:
    with gr.Column(elem_id="composer"):
        # The page's script shows it, and does what it says.
        gr.Button("↓ Jump to latest", size="sm", elem_id="to-end")
        gr.HTML(_TEMPORARY, elem_id="temporary-note", apply_default_css=False, padding=False)
        gate = gate_parts()
        notice = notice_parts("chat-model")
        box = gr.MultimodalTextbox(
            show_label=False,
            label="Message",
            placeholder="Write a message. Shift+Enter for a new line.",
            file_count="multiple",
            file_types=FILE_TYPES,
            max_plain_text_length=2500 if settings.paste_to_attachment else 1_000_000,
            autofocus=True,
            max_lines=12,
            elem_id="box",
            stop_btn=False,
        )
        with gr.Row(elem_id="chat-actions", elem_classes="tight"):
            # The page's script does what they say.
            _action("Dictate", "dictate")
            _action("Call", "call")
            _action("Camera", "camera")
            return Composer(
                box=box,
                gate=gate,
                notice=notice,
                regenerate=_action("Regenerate", "regenerate"),
                go_on=_action("Continue", "continue"),
                remove=_action("Delete last turn", "remove-last"),
                impersonate=_action("Write as me", "impersonate"),
                dummy_message=_action("Insert as me", "dummy-message"),
                dummy_reply=_action("Insert as assistant", "dummy-reply"),
                count=_action("Count tokens", "count-tokens"),
                resend=gr.HTML("", html_template="", js_on_load=_RESEND, elem_id="resend", visible=True),
                meter=gr.HTML("{}", html_template="", js_on_load=_METER, elem_id="meter", visible=True),
            )


def _action(label: str, name: str) -> gr.Button:
    return gr.Button(label, size="sm", min_width=60, elem_id=name)
