"""The components of the Chat tab, and where they stand."""

from dataclasses import dataclass

import gradio as gr

from modules.ui.chat.layout.chat_list import ChatList, chat_list
from modules.ui.chat.layout.controls import Controls, controls
from modules.ui.chat.layout.conversation import ConversationParts, conversation
from modules.ui.page.page import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatParts:
    """The whole tab. `removed` is what it has deleted last."""

    left: ChatList
    middle: ConversationParts
    right: Controls
    removed: gr.State


def chat_parts(page: Page) -> ChatParts:
    return ChatParts(left=chat_list(), middle=conversation(page.settings), right=controls(page), removed=gr.State(None))
