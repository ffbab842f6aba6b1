"""Events of the Chat tab for the tokens of replies, one of which is that another one is taken."""

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.chat.session import session
from modules.errors import BadRequest, ServiceError
from modules.library.chats.history import ChatTurn, History, Side
from modules.ui.branches.tokens import pieces_of, taken, tokens_text
from modules.ui.chat.branches.branching import branch_at
from modules.ui.chat.replies import ReplyHandlers
from modules.ui.chat.screen import ChatScreen, Shown, merged
from modules.ui.page.page import Page
from modules.ui.replies.marks import Fact, Part
from modules.ui.replies.running import timestamp
from modules.ui.replies.tab_state import ChatTab
from modules.ui.shell.internals import sent_data

Entered = Mapping[Component, Any]

# As many as a browser may ask for at once; it asks for those that can be seen.
_MAX_ASKED: Final = 50
_GONE: Final = "That message is no longer there. Reload the page."


class TokenHandlers:
    """`replies` writes the reply that has another token."""

    def __init__(self, page: Page, view: gr.HTML, screen: ChatScreen, replies: ReplyHandlers) -> None:
        self._page = page
        self._view = view
        self._screen = screen
        self._replies = replies

    async def show(self, entered: Entered, event: gr.EventData) -> Shown:
        """The tokens of the messages whose keys the page's script asks for; none for those that are not there any more."""
        asked = sent_data(event).get("keys")
        keys = [key for key in asked if isinstance(key, str)][:_MAX_ASKED] if isinstance(asked, list) else []
        tab = await self._screen.tab(entered, self._page.settings)
        try:
            history = await self._page.active_replies.history(tab)
        except ServiceError:
            history = History()
        facts = [] if tab.marks is None else [fact for fact in tab.marks.facts if fact.tokens in keys]
        turns = {fact.tokens: (_turn_of(history, fact), fact.part) for fact in facts}
        ends = self._control_tokens()
        pieces = {key: pieces_of(turn, part, ends) for key, (turn, part) in turns.items() if turn is not None}
        return {self._view: tokens_text({key: pieces.get(key, []) for key in keys})}

    async def take(self, entered: Entered, event: gr.EventData) -> AsyncGenerator[Shown, None]:
        """A reply that begins with another one's text up to a token, and has another token there: a version of it, or
        where others follow it, in a branch of the chat."""
        async with aclosing(self._replies.told(entered, self._take(entered, sent_data(event)))) as steps:
            async for shown in steps:
                yield shown

    async def _take(self, entered: Entered, asked: Mapping[str, Any]) -> AsyncGenerator[Shown, None]:
        settings, tab, history = await self._replies.begun_seen(entered)
        fact = None if tab.marks is None else tab.marks.fact(asked.get("index"), history)
        if fact is None or fact.side is not Side.ASSISTANT or fact.part is Part.TOOL:
            raise BadRequest(_GONE)
        turn = session.turn_at(history, fact.row, fact.side)
        begun = taken(turn, asked.get("start"), asked.get("candidate"), self._control_tokens())
        tab, history = await self._branched(tab, history, fact.row)
        base = session.begin_regeneration(history)
        whole = session.with_reply(
            base,
            begun.text,
            model=turn.model,
            tool_messages=turn.tool_messages,
            timestamp=timestamp(),
            probabilities=begun.draft.probabilities,
        )
        if begun.is_end:
            tab = await self._page.active_replies.keep(tab, whole)
            yield merged(await self._screen.shown(tab, whole), await self._screen.listed(tab, settings))
            return
        steps = self._replies.replied(tab, base, whole, settings, begun_with=begun.draft)
        async with aclosing(steps):
            async for shown in steps:
                yield shown

    async def _branched(self, tab: ChatTab, history: History, row: int) -> tuple[ChatTab, History]:
        if row == len(history.rows) - 1:
            return tab, history
        return await branch_at(self._page, tab, history, row)

    def _control_tokens(self) -> Collection[str]:
        card = self._page.runtime.models.state.card
        return frozenset(card.control_tokens) if card is not None else frozenset()


def _turn_of(history: History, fact: Fact) -> ChatTurn | None:
    """None where the conversation is another one by now."""
    if fact.row >= len(history.rows):
        return None
    return history.rows[fact.row].side(fact.side)
