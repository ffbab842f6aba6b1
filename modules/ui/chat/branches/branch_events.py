"""Which event leads to another beginning of a reply."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from modules.ui.branches.artifacts import rendered
from modules.ui.branches.parts import BranchParts, connect_switch
from modules.ui.chat.branches.comparing import CompareHandlers
from modules.ui.chat.branches.retakes import TokenHandlers
from modules.ui.chat.layout.conversation import ConversationParts
from modules.ui.chat.replies import ReplyHandlers
from modules.ui.chat.screen import ChatScreen
from modules.ui.page.page import Page
from modules.ui.shell.internals import sent_data

_QUIET = {"show_progress": "hidden", "api_visibility": "private"}


class BranchEvents:
    def __init__(self, page: Page, parts: BranchParts, screen: ChatScreen, replies: ReplyHandlers) -> None:
        self._page = page
        self._parts = parts
        self._tokens = TokenHandlers(page, parts.tokens, screen, replies)
        self._replies = replies
        self._compare = CompareHandlers(page, parts.compare, screen, replies)

    def connect(self, middle: ConversationParts, entered: set[Component], outputs: Sequence[Component]) -> list[Any]:
        """Returns the events that follow replies. `entered` and `outputs` are those of all events that show a chat."""
        tokens, seen = self._parts.tokens, {middle.tab, middle.choices, middle.place}
        tokens.submit(self._tokens.show, seen, [tokens], trigger_mode="multiple", **_QUIET)
        connect_switch(self._page, tokens)
        self._connect_compare(middle, entered, outputs)
        artifacts = self._parts.artifacts
        artifacts.submit(_rendered, None, [artifacts], trigger_mode="multiple", **_QUIET)
        return [tokens.select(self._tokens.take, entered, outputs, **_QUIET)]

    def _connect_compare(
        self, middle: ConversationParts, entered: set[Component], outputs: Sequence[Component]
    ) -> None:
        parts, handlers = self._parts.compare, self._compare
        here = {middle.tab, middle.choices, middle.place}
        chat = [middle.tab, middle.place]
        parts.bridge.submit(handlers.open, here, parts.outputs, **_QUIET)
        parts.close.click(handlers.close, here, [parts.panel, *outputs], **_QUIET)
        parts.stop.click(self._replies.stop, [middle.tab], None, **_QUIET)
        written = [*chat, parts.stop, *(part for side in parts.sides for part in side.outputs)]
        parts.bridge.select(handlers.again, {*entered, parts.row}, written, trigger_mode="multiple", **_QUIET)
        for side in parts.sides:
            seen = {*here, parts.row, side.shown, side.versions}
            side.versions.input(partial(handlers.choose, side=side), seen, side.outputs, **_QUIET)
            side.use.click(partial(handlers.use, side=side), seen, [parts.panel, *outputs], **_QUIET)
            side.view.option_select(handlers.decider(side), here, None, **_QUIET)


async def _rendered(event: gr.EventData) -> str:
    """Markdown that the page's script asks for as HTML."""
    return await asyncio.to_thread(rendered, str(sent_data(event).get("markdown") or ""))
