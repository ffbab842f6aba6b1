"""Which event leads to another beginning of a reply."""

from collections.abc import Sequence
from typing import Any

from gradio.components import Component

from modules.ui.branches.parts import BranchParts, connect_switch
from modules.ui.chat.layout.conversation import ConversationParts
from modules.ui.chat.replies import ReplyHandlers
from modules.ui.chat.retakes import TokenHandlers
from modules.ui.chat.screen import ChatScreen
from modules.ui.page.page import Page

_QUIET = {"show_progress": "hidden", "api_visibility": "private"}


class BranchEvents:
    def __init__(self, page: Page, parts: BranchParts, screen: ChatScreen, replies: ReplyHandlers) -> None:
        self._page = page
        self._parts = parts
        self._tokens = TokenHandlers(page, parts.tokens, screen, replies)

    def connect(self, middle: ConversationParts, entered: set[Component], outputs: Sequence[Component]) -> list[Any]:
        """Returns the events that follow replies. `entered` and `outputs` are those of all events that show a chat."""
        tokens, seen = self._parts.tokens, {middle.tab, middle.choices, middle.place}
        tokens.submit(self._tokens.show, seen, [tokens], trigger_mode="multiple", **_QUIET)
        connect_switch(self._page, tokens)
        return [tokens.select(self._tokens.take, entered, outputs, **_QUIET)]
