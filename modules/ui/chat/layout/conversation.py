"""The components of the middle: the conversation, and what the script and the server say."""

from dataclasses import dataclass
from typing import Final

import gradio as gr

from modules.settings.values import Settings
from modules.ui.chat.choices import ChatSwitches
from modules.ui.chat.layout.composer import Composer, composer
from modules.ui.chat.starters import examples, welcome
from modules.ui.knowledge.chat import knowledge_bridge
from modules.ui.page.formulas import DELIMITERS
from modules.ui.replies.tab_state import ChatTab

# What the page's script and the server say to each other.
_BRIDGE: Final = """
window.chatPage.connect((act) => trigger('submit', act), () => props.value);
watch('value', () => window.chatPage.apply(props.value));
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationParts:
    """The middle. `live` shows the reply that is being written, below all others in `chat`: so a long conversation
    costs nothing while words come. `place` is what the browser knows of `tab`. `choices`
    orders the events that show another one."""

    tab: gr.State
    choices: gr.State
    place: gr.Textbox
    chat: gr.Chatbot
    live: gr.Chatbot
    bridge: gr.HTML
    knowledge: gr.HTML
    composer: Composer


def conversation(settings: Settings) -> ConversationParts:
    tab, choices = gr.State(ChatTab(is_unset=True)), gr.State(ChatSwitches())
    place = gr.Textbox("", visible="hidden", elem_id="place")
    bridge = gr.HTML("[]", html_template="", js_on_load=_BRIDGE, elem_id="bridge", visible=True)
    with gr.Column(elem_id="scroller"):
        chat = _chatbot("chat", settings, editable="all", placeholder=welcome(settings), examples=examples())
        live = _chatbot("live", settings)
    return ConversationParts(
        tab=tab,
        choices=choices,
        place=place,
        chat=chat,
        live=live,
        bridge=bridge,
        knowledge=knowledge_bridge(),
        composer=composer(settings),
    )


def _chatbot(name: str, settings: Settings, **more: object) -> gr.Chatbot:
    return gr.Chatbot(
        [],
        elem_id=name,
        label="Conversation" if name == "chat" else "Current reply",
        show_label=False,
        container=False,
        height="auto",
        layout="bubble" if settings.chat_style == "bubbles" else "panel",
        buttons=["copy"] if name == "chat" else [],
        feedback_options=None,
        latex_delimiters=DELIMITERS,
        autoscroll=False,
        group_consecutive_messages=True,
        **more,
    )
