"""Events of the choices of a chat: documents, memory and persona. They change no other chat."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from modules.chat.session.uses import ChatUses, takes_memory, uses_of, with_memory, with_uses
from modules.errors import ServiceError
from modules.library.chats.history import History
from modules.ui.chat.layout.conversation import ConversationParts
from modules.ui.chat.screen import ChatScreen, OtherChatOpens, Shown
from modules.ui.knowledge.uses import UsesParts
from modules.ui.page.page import Page, failure, notify_errors

Entered = Mapping[Component, Any]
_QUIET = {"show_progress": "hidden", "api_visibility": "private"}


class UsesHandlers:
    """A chat that is not stored yet has its choice in its tab, every other one in its conversation, at once."""

    def __init__(
        self, page: Page, middle: ConversationParts, screen: ChatScreen, parts: UsesParts, persona: gr.Dropdown
    ) -> None:
        self._page = page
        self._middle = middle
        self._screen = screen
        self._parts = parts
        self._persona = persona

    def connect(self) -> None:
        middle, parts, uses = self._middle, self._parts, self._screen.uses
        here, shown = {middle.tab, middle.choices, middle.place}, [middle.tab, middle.place]
        parts.collections.input(self.documents, {*here, parts.collections}, shown, trigger_mode="always_last", **_QUIET)
        parts.memory.input(self.memory, {*here, parts.memory}, shown, trigger_mode="always_last", **_QUIET)
        # The grid of personas chooses by the same menu.
        self._persona.change(self.persona, {*here, self._persona}, shown, trigger_mode="always_last", **_QUIET)
        self._page.fill_in(uses.of_new, parts.outputs)

    async def documents(self, entered: Entered) -> Shown:
        known = await self._page.runtime.knowledge.names()
        names = tuple(name for name in entered[self._parts.collections] or () if name in known)
        return await notify_errors(self._changed(entered, lambda uses: replace(uses, knowledge=names)))

    async def memory(self, entered: Entered) -> Shown:
        is_on = entered[self._parts.memory] is True
        return await notify_errors(self._changed(entered, lambda uses: replace(uses, memory=is_on)))

    async def persona(self, entered: Entered) -> Shown:
        """Nothing for a chat that shows its own, or that another one follows."""
        name = str(entered[self._persona] or "")
        try:
            return await self._changed(entered, lambda uses: replace(uses, persona=name)) if name else {}
        except OtherChatOpens:
            return {}
        except ServiceError as error:
            raise failure(error.message) from None

    async def _changed(self, entered: Entered, change: Callable[[ChatUses], ChatUses]) -> Shown:
        settings = self._page.settings
        tab = await self._screen.seen_tab(entered, settings)
        history = await self._screen.history(tab, settings)
        uses = change(uses_of(history))
        if uses == uses_of(history):
            return {}
        if settings.multi_user:
            uses = ChatUses(persona=uses.persona)
        if tab.is_kept and uses.knowledge != uses_of(history).knowledge:
            # What the next new chat begins with.
            self._page.saved_settings.remember({"knowledge": uses.knowledge})
        if tab.is_kept and not tab.chat:
            return self._screen.at(replace(tab, uses=uses))
        changed = with_uses(history, uses)
        memory = ""
        if takes_memory(changed):
            memory = await asyncio.to_thread(self._page.runtime.library.memory.text)
        tab = await self._page.active_replies.change(tab, partial(_using, uses=uses, memory=memory))
        return self._screen.at(tab)


def _using(history: History, *, uses: ChatUses, memory: str) -> History:
    changed = with_uses(history, uses)
    return with_memory(changed, memory) if takes_memory(changed) else changed
