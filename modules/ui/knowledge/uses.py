"""The switches of a chat in the inspector: its documents and its memory."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.chat.session.uses import ChatUses, uses_of
from modules.library.chats.history import History
from modules.settings.values import Settings
from modules.ui.page.menus import name_ticks
from modules.ui.page.page import Page

_INFO: Final = "Of this chat. Or name one in a message, as #name."
_MEMORY: Final = "Of this chat, as the memory was when it began. Chats in the mode Character have none."


@dataclass(frozen=True, slots=True, kw_only=True)
class UsesParts:
    collections: gr.CheckboxGroup
    memory: gr.Checkbox

    @property
    def outputs(self) -> list[Component]:
        return [self.collections, self.memory]


def uses_parts(settings: Settings) -> UsesParts:
    """To be called where they shall stand."""
    collections = name_ticks(label="Knowledge for every message", info=_INFO, elem_id="chat-knowledge", visible=False)
    memory = gr.Checkbox(
        settings.use_memory, label="Use memory", info=_MEMORY, visible=not settings.multi_user, elem_id="chat-memory"
    )
    return UsesParts(collections=collections, memory=memory)


def inherited_uses(settings: Settings, *, is_kept: bool) -> ChatUses:
    """What a new chat uses. One that is kept nowhere has no memory, and visitors who are kept apart have nothing."""
    if settings.multi_user:
        return ChatUses(persona=settings.user)
    return ChatUses(persona=settings.user, knowledge=settings.knowledge, memory=settings.use_memory and is_kept)


class ShownUses:
    """What the switches show."""

    def __init__(self, page: Page, parts: UsesParts, persona: gr.Dropdown) -> None:
        self._page = page
        self.persona = persona
        self.parts = parts

    @property
    def outputs(self) -> list[Component]:
        return [*self.parts.outputs, self.persona]

    async def of(self, history: History, *, is_kept: bool) -> dict[Component, Any]:
        uses = uses_of(history)
        shown = await self._shown(uses, is_kept=is_kept)
        if not uses.persona:
            return shown
        names = await asyncio.to_thread(self._page.runtime.library.users.names)
        names = names if uses.persona in names else [uses.persona, *names]
        return {**shown, self.persona: gr.Dropdown(choices=names, value=uses.persona)}

    async def of_new(self) -> dict[Component, Any]:
        return await self._shown(inherited_uses(self._page.settings, is_kept=True), is_kept=True)

    async def choices(self) -> dict[Component, Any]:
        """For who comes back from where collections are made: what is ticked stays."""
        names = await self._names()
        return {self.parts.collections: gr.CheckboxGroup(choices=_choices(names), visible=bool(names))}

    async def _shown(self, uses: ChatUses, *, is_kept: bool) -> dict[Component, Any]:
        names = await self._names()
        chosen = [name for name in uses.knowledge if name in names]
        can_remember = is_kept and not self._page.settings.multi_user
        return {
            self.parts.collections: gr.CheckboxGroup(choices=_choices(names), value=chosen, visible=bool(names)),
            self.parts.memory: gr.Checkbox(value=uses.memory and can_remember, visible=can_remember),
        }

    async def _names(self) -> list[str]:
        return [] if self._page.settings.multi_user else await self._page.runtime.knowledge.names()


def _choices(names: list[str]) -> list[tuple[str, str]]:
    return [(f"#{name}", name) for name in names]
