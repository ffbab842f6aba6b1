"""The inspector's Info tab in events: the last reply, and the prompt that the model saw for it."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from gradio.components import Component

from modules.chat.session import session
from modules.chat.session.tree import nodes_of
from modules.chatmodels.base import Operation
from modules.errors import BadRequest, ServiceError
from modules.library.chats.history import ChatTurn, History, last_model
from modules.requests import ChatRequest
from modules.ui.branches.info import InfoParts, LinkedChats, told
from modules.ui.chat.layout.conversation import ConversationParts
from modules.ui.chat.screen import ChatScreen, Shown
from modules.ui.page.languages import text
from modules.ui.page.page import Page, notify_errors
from modules.ui.replies.allowed import allowed_tools
from modules.ui.replies.requests import chat_request, user_of
from modules.ui.replies.tab_state import ChatTab
from modules.ui.shell.internals import sent_data

Entered = Mapping[Component, Any]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request as it was made, or, without `is_exact`, as it would be made today."""

    request: ChatRequest
    is_exact: bool


class InfoHandlers:
    """Handlers of the events with which the page's script asks."""

    def __init__(self, page: Page, parts: InfoParts, middle: ConversationParts, screen: ChatScreen) -> None:
        self._page = page
        self._bridge = parts.bridge
        self._middle = middle
        self._screen = screen

    async def look(self, entered: Entered) -> Shown:
        """All branches of the chat that is shown, and what is known of its last reply."""
        tab = await self._screen.tab(entered, self._page.settings)
        try:
            history = await self._screen.history(tab, self._page.settings)
        except ServiceError:
            history = History()
        nodes = await asyncio.to_thread(nodes_of, history)
        linked = await asyncio.to_thread(self._linked, tab)
        return {self._bridge: told(nodes, _last_reply(history), self._ignored(tab, history), linked)}

    async def prompt(self, entered: Entered, event: gr.EventData) -> Shown:
        """The last reply's prompt. The number that the browser sent goes back with it: no two answers are the same."""
        number = sent_data(event).get("number")
        return {self._bridge: json.dumps({**await notify_errors(self._prompt(entered)), "number": number})}

    def _linked(self, tab: ChatTab) -> LinkedChats:
        if not tab.is_kept or not tab.chat:
            return LinkedChats()
        chats = self._page.runtime.library.chats
        return LinkedChats(chats.branched_from(tab.place, tab.chat), chats.branches_of(tab.place, tab.chat))

    async def _prompt(self, entered: Entered) -> dict[str, object]:
        tab = await self._screen.tab(entered, self._page.settings)
        history = await self._screen.history(tab, self._page.settings)
        turn = _last_reply(history)
        if turn is None:
            raise BadRequest("There is no reply yet whose prompt could be shown.")
        asked = await self._asked(tab, history)
        request = replace(asked.request, messages=(*asked.request.messages, *turn.tool_messages))
        chat = self._page.runtime.chat
        written = await chat.written(request)
        notes = [] if asked.is_exact else [text("Made anew from the chat, with the settings of now.")]
        shown, count = written.text, None
        if chat.offers(Operation.TOKENIZE, request.model):
            tokens = await chat.encode_chat(request)
            count = len(tokens)
            whole = await chat.encode(written.text, model=request.model)
            if count < len(whole) - 1 and min(tokens) >= 0:
                shown = await chat.decode(tokens, model=request.model)
                notes.append(text("The oldest messages did not fit into the context and were left out."))
        if written.repairs:
            notes.append(text("Changed for the chat template: {repairs}.", repairs=", ".join(written.repairs)))
        return {"prompt": shown, "tokens": count, "notes": notes}

    async def _asked(self, tab: ChatTab, history: History) -> _Asked:
        """What was asked for the last reply; where the program does not know it any more, what would be asked for it."""
        page = self._page
        user = await asyncio.to_thread(user_of, page.runtime.library.users, history, page.settings)
        tools, _ = await allowed_tools(page.tools, page.settings, is_kept=tab.is_kept)
        model = page.answering_model(tab.model or last_model(history))
        unanswered = _without_last_reply(history)
        start = page.settings.start_with
        begun = session.with_reply(unanswered, start) if start else unanswered
        made = chat_request(page.settings, begun, user, model=model, tools=tools, continues=bool(start))
        known = page.active_replies.asked.of(tab.key, made.messages)
        return _Asked(made, is_exact=False) if known is None else _Asked(known, is_exact=True)

    def _ignored(self, tab: ChatTab, history: History) -> tuple[str, ...]:
        """Parameters of the page that the model which answers does not have."""
        card = self._page.runtime.chat.known_card(self._page.answering_model(tab.model or last_model(history)))
        return () if card is None else card.ignored(self._page.settings.sampling)


def _last_reply(history: History) -> ChatTurn | None:
    """None where the last message is not answered, or nothing was asked."""
    last = history.rows[-1] if history.rows else None
    return None if last is None or last.is_greeting or not last.assistant.text else last.assistant


def _without_last_reply(history: History) -> History:
    last = history.rows[-1]
    return replace(history, rows=(*history.rows[:-1], replace(last, assistant=ChatTurn())))
