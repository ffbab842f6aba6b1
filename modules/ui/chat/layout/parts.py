"""The components of the chat, in the column where each stands."""

from dataclasses import dataclass

import gradio as gr

from modules.ui.branches.info import InfoParts
from modules.ui.branches.parts import BranchParts
from modules.ui.chat.layout.chat_list import ChatList
from modules.ui.chat.layout.controls import Controls
from modules.ui.chat.layout.conversation import ConversationParts
from modules.ui.chat.layout.tools import ToolParts


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatParts:
    """All of them. `removed` is what the chat list has deleted last, `tab` where `middle` stands."""

    left: ChatList
    middle: ConversationParts
    right: Controls
    tools: ToolParts
    branches: BranchParts
    info: InfoParts
    removed: gr.State
    tab: gr.Tab
