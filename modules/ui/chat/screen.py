"""What the Chat tab shows of a chat, as values for its components; and which chat a tab is to show."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.components.chatbot import Message as ChatMessage

from modules.chat.session import session
from modules.chat.session.uses import uses_of, with_uses
from modules.errors import BadRequest, ServiceError
from modules.library.chats.histories import Place
from modules.library.chats.history import Attachment, ChatTurn, History, last_model
from modules.prompt.characters.cast import all_greetings
from modules.requests import Mode
from modules.settings.values import Settings
from modules.ui.chat.choices import ChatSwitch, ChatSwitches
from modules.ui.chat.layout.chat_list import ChatList
from modules.ui.chat.layout.conversation import ConversationParts
from modules.ui.chat.view import View, facts_json, reply_messages, view_of, without_last_reply
from modules.ui.chatlist.rows import ShownChat
from modules.ui.knowledge.uses import ShownUses, inherited_uses
from modules.ui.model.notice import ModelNotice
from modules.ui.page.image_tool import picture_url
from modules.ui.page.page import Page
from modules.ui.page.thumbnails import Thumbnails
from modules.ui.replies.figures import ended_text
from modules.ui.replies.marks import marks_of
from modules.ui.replies.requests import persona
from modules.ui.replies.tab_state import ChatTab, place_text, placed_tab, unkept

Shown = dict[Component, Any]


class OtherChatOpens(BadRequest):
    """An event was meant for the chat that the page shows, but another one is being opened."""

    def __init__(self) -> None:
        super().__init__("Another chat was being opened, so nothing was changed. Try again.")


class ChatScreen:
    """Reads files, off the event loop."""

    def __init__(self, page: Page, middle: ConversationParts, chats: ChatList, uses: ShownUses) -> None:
        self._page = page
        self._middle = middle
        self._list = chats
        self.rows = chats.rows
        self._pictures = Thumbnails()
        self.notice = ModelNotice(page, middle.composer.notice, "This chat")
        self.uses = uses

    def _picture(self, attachment: Attachment) -> str:
        """A data URL; one that has no content is a picture of the gallery, by its id."""
        if attachment.image_data:
            return self._pictures.of(attachment)
        gallery, name = self._page.runtime.images.gallery, attachment.image_id
        return self._pictures.kept(b"gallery:" + name.encode(), lambda: picture_url(gallery, name))

    async def first_tab(self, settings: Settings, kept: str = "") -> ChatTab:
        """The chat that a browser has kept, when it is one of this mode; or the one that was open last in it, or a new
        one."""
        place = place_of(settings)
        if settings.multi_user:
            return await self.new_tab(settings, is_kept=False)
        before = placed_tab(kept)
        if (
            before is not None
            and before.chat
            and before.is_kept
            and before.place == place
            and await self._is_there(before)
        ):
            return before
        last = await asyncio.to_thread(self._page.runtime.library.histories.last, place)
        tab = ChatTab(place=place, chat=last or "")
        return tab if last and await self._is_there(tab) else await self.new_tab(settings)

    async def first_persona(self, settings: Settings) -> str:
        """Of the chat that a page opens with; empty where it has none, or personas are not seen."""
        if settings.multi_user or Mode(settings.mode) is Mode.INSTRUCT:
            return ""
        tab = await self.first_tab(settings)
        return uses_of(await self.history(tab, settings)).persona

    async def _is_there(self, tab: ChatTab) -> bool:
        try:
            await self._page.active_replies.history(tab)
        except ServiceError:
            return False
        return True

    def begin(self, entered: Mapping[Component, Any]) -> ChatSwitch:
        """The event that has brought `entered` shows a chat from now on, and no older one does."""
        choices = entered[self._middle.choices]
        assert isinstance(choices, ChatSwitches)
        return choices.begin()

    async def latest(
        self, choice: ChatSwitch, steps: AsyncGenerator[Shown, None], *, goes_on: bool = False
    ) -> AsyncGenerator[Shown, None]:
        """`steps`, until a later event of the same browser tab chooses what is shown. `goes_on` says that they are to be
        taken even then, and shown to nobody."""
        try:
            async with aclosing(steps):
                async for shown in steps:
                    if choice.is_latest:
                        yield shown
                        if self._middle.tab in shown:
                            self._page.list_changes.seen(shown[self._middle.tab].key)
                            choice.leads_to(None)
                    elif not goes_on:
                        break
            if not choice.is_latest:
                # Gradio clears the outputs of an event that yields nothing.
                yield {}
        finally:
            choice.leads_to(None)

    def at(self, tab: ChatTab) -> Shown:
        """Which chat it is, for this server and for the next one."""
        return {self._middle.tab: tab, self._middle.place: place_text(tab)}

    async def tab(self, entered: Mapping[Component, Any], settings: Settings) -> ChatTab:
        """The tab that an event comes from. The browser says which chat it shows when the server has been started anew
        since the page was opened, and knows no tab of it."""
        tab = entered[self._middle.choices].now(self._middle.tab, entered[self._middle.tab])
        assert isinstance(tab, ChatTab)
        if tab.chat or not tab.is_unset:
            return tab
        placed = placed_tab(str(entered[self._middle.place] or ""))
        if placed is None:
            return tab
        if placed.is_kept and not settings.multi_user:
            return placed
        gr.Warning("The server was restarted. This chat was not saved, so the model no longer sees its messages.")
        return await self._unkept(placed.place, settings)

    async def seen_tab(self, entered: Mapping[Component, Any], settings: Settings) -> ChatTab:
        """As `tab`, for an event that is meant for what the browser shows. Raises BadRequest when it shows another chat
        by now."""
        tab, seen = await self.tab(entered, settings), placed_tab(str(entered[self._middle.place] or ""))
        is_set = bool(tab.chat) or not entered[self._middle.tab].is_unset
        is_other = is_set and seen is not None and not tab.is_shown_as(seen)
        if is_other or entered[self._middle.choices].pending is not None:
            raise OtherChatOpens
        return tab

    async def new_tab(self, settings: Settings, *, is_kept: bool = True) -> ChatTab:
        place = place_of(settings)
        if is_kept and not settings.multi_user:
            return ChatTab(place=place, uses=inherited_uses(settings, is_kept=True))
        return await self._unkept(place, settings)

    async def _unkept(self, place: Place, settings: Settings) -> ChatTab:
        history = with_uses(await self.opening(settings), inherited_uses(settings, is_kept=False))
        return replace(unkept(place), history=history)

    async def named(self, tab: ChatTab) -> ChatTab:
        """The tab, whose chat has an id to be stored under."""
        if tab.chat or not tab.is_kept:
            return tab
        chat = await asyncio.to_thread(self._page.runtime.library.histories.new_id, tab.place)
        return replace(tab, chat=chat, is_unset=False)

    async def history(self, tab: ChatTab, settings: Settings) -> History:
        """Raises BadRequest, NotFound when the chat's file is damaged or gone."""
        if tab.chat:
            return await self._page.active_replies.history(tab)
        return with_uses(await self.opening(settings), tab.uses or inherited_uses(settings, is_kept=True))

    async def opening(self, settings: Settings) -> History:
        """How a chat begins: with the character's greeting, if it has one."""
        if Mode(settings.mode) is Mode.INSTRUCT:
            return History()
        greetings = await asyncio.to_thread(self._greetings, settings)
        return session.greeted(*greetings) if greetings else History()

    async def view(self, history: History) -> View:
        return await asyncio.to_thread(view_of, history, self._picture)

    async def messages(self, turn: ChatTurn) -> list[ChatMessage]:
        """A reply by itself."""
        return await asyncio.to_thread(reply_messages, turn, self._picture)

    async def shown(self, tab: ChatTab, history: History, *, is_running: bool = False) -> Shown:
        """Everything in the middle; while a reply is being written, without it."""
        # What the tab shows already is not told again: its user may be choosing.
        uses = await self.uses.of(history, is_kept=tab.is_kept) if tab.marks is None else {}
        seen = without_last_reply(history) if is_running else history
        view = await self.view(seen)
        tab = replace(tab, marks=marks_of(seen, view.facts), model=tab.model or last_model(history))
        middle = self._middle
        return {
            **self.at(tab),
            **uses,
            middle.chat: view.messages,
            middle.bridge: facts_json(view.facts),
            middle.live: [],
            middle.composer.meter: ended_text(seen),
            middle.composer.box: gr.MultimodalTextbox(stop_btn=is_running, submit_btn=not is_running),
            **await self.notice.shown("" if is_running else await self._model_of(tab, history)),
        }

    async def returned(self, tab: ChatTab) -> Shown:
        """For who comes back to the chat from where models are loaded and collections are made."""
        return merged(await self.noticed(tab), await self.uses.choices())

    async def noticed(self, tab: ChatTab) -> Shown:
        """For who comes back to the chat: another model may have been loaded meanwhile."""
        if self._page.active_replies.running(tab) is not None:
            return {}
        try:
            history = await self._page.active_replies.history(tab)
        except ServiceError:
            return {}
        return await self.notice.shown(await self._model_of(tab, history))

    async def _model_of(self, tab: ChatTab, history: History) -> str:
        """The model that the chat was with; while it has no reply, the one that spoke as its character last."""
        if (model := last_model(history)) or not tab.place.character:
            return model
        return await asyncio.to_thread(self._page.runtime.library.characters.models.of, tab.place.character)

    async def listed(self, tab: ChatTab, settings: Settings) -> Shown:
        """The list of chats, with the tab's own."""
        is_temporary = not tab.is_kept and not settings.multi_user
        shown = ShownChat(place=tab.place, id=tab.chat if tab.is_kept else "", is_temporary=is_temporary)
        return {self._list.chats: await self.rows.text(shown)}

    def _greetings(self, settings: Settings) -> tuple[str, ...]:
        library = self._page.runtime.library
        user = library.users.read(settings.user)
        try:
            return all_greetings(persona(settings, user), library, self._page.settings)
        except BadRequest:
            return ()


def place_of(settings: Settings) -> Place:
    """Where the chats of the mode and character are kept."""
    return Place(None if Mode(settings.mode) is Mode.INSTRUCT else settings.character)


def merged(*shown: Mapping[Component, Any]) -> Shown:
    return {component: value for each in shown for component, value in each.items()}
