"""Events of the list of past chats: open, create, rename, delete with undo, search, import, export."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.errors import BadRequest, Busy, ServiceError
from modules.library.chats.histories import ChatHit, RemovedChat
from modules.settings.values import Settings
from modules.ui.chat.choices import ChatSwitch, ChatSwitches
from modules.ui.chat.layout.parts import ChatParts
from modules.ui.chat.replies import ReplyHandlers
from modules.ui.chat.screen import SHOWN_CHATS, ChatScreen, Shown, merged, place_of
from modules.ui.page.page import Page, failure, notify_errors
from modules.ui.replies.tab_state import ChatTab
from modules.ui.shell.internals import upload_folder

Entered = Mapping[Component, Any]

_NAMELESS: Final = "This chat is not saved yet. Write a message first."


class ChatListHandlers:
    """`replies` follows a reply that is being written to a chat that is opened."""

    def __init__(self, page: Page, parts: ChatParts, screen: ChatScreen, replies: ReplyHandlers) -> None:
        self._page = page
        self._middle = parts.middle
        self._list = parts.left
        self._removed = parts.removed
        self._import = parts.right.import_chat
        self._screen = screen
        self._replies = replies
        self._histories = page.runtime.library.histories
        self._chats = page.runtime.library.chats

    async def first(self, choices: ChatSwitches, place: str) -> AsyncGenerator[Shown, None]:
        """For a browser that opens the page: the chat that this tab has shown before, or else the one that was open
        last, with the reply that it may be getting. Who was quicker, and has begun or opened a chat by now, keeps that
        one."""
        choice, settings = choices.opening, self._page.settings
        yield {}
        tab = await self._screen.first_tab(settings, place)
        async with aclosing(self._screen.latest(choice, self._opened(tab, settings))) as steps:
            async for shown in steps:
                yield shown

    async def open(self, entered: Entered) -> AsyncGenerator[Shown, None]:
        choice = self._screen.begin(entered)
        async with aclosing(self._screen.latest(choice, self._chosen(entered, choice))) as steps:
            async for shown in steps:
                yield shown

    async def elsewhere(self, entered: Entered) -> AsyncGenerator[Shown, None]:
        """Another mode or character was chosen: its chats, and the one that was open last among them. Where they are
        the same, the tab's own is shown again: the choice may have ended the following of a reply."""
        choice = self._screen.begin(entered)
        async with aclosing(self._screen.latest(choice, self._moved(entered, choice))) as steps:
            async for shown in steps:
                yield shown

    async def new(self, entered: Entered) -> AsyncGenerator[Shown, None]:
        choice = self._screen.begin(entered)
        async with aclosing(self._screen.latest(choice, self._begun(entered, choice, is_kept=True))) as steps:
            async for shown in steps:
                yield shown

    async def incognito(self, entered: Entered) -> AsyncGenerator[Shown, None]:
        gr.Info("This chat is not saved. It is lost when you leave it or reload the page.", title="Incognito")
        choice = self._screen.begin(entered)
        async with aclosing(self._screen.latest(choice, self._begun(entered, choice, is_kept=False))) as steps:
            async for shown in steps:
                yield shown

    async def rename(self, entered: Entered, asked: Mapping[str, Any]) -> Shown:
        """What the page's script asks for: a new name for a chat of the list, or for the one that is shown."""
        settings, name = self._settings(entered), str(asked.get("name") or "").strip()
        tab = await self._screen.tab(entered, settings)
        chat = str(asked.get("chat") or (tab.chat if tab.is_kept else ""))
        return await notify_errors(self._renamed(tab, chat, name, settings))

    async def delete(self, entered: Entered) -> Shown:
        settings = self._settings(entered)
        tab = await notify_errors(self._screen.seen_tab(entered, settings))
        choice = self._screen.begin(entered)
        return self._if_latest(choice, await notify_errors(self._deleted(tab, settings)))

    async def undo(self, entered: Entered) -> Shown:
        choice = self._screen.begin(entered)
        shown = await notify_errors(self._restored(entered[self._removed], self._settings(entered)))
        return self._if_latest(choice, shown)

    async def search(self, entered: Entered) -> Shown:
        """Chats of the mode or character in which all the words occur; without words, the list again."""
        words = str(entered[self._list.search] or "")
        settings = self._settings(entered)
        return await notify_errors(self._found(await self._screen.tab(entered, settings), words, settings))

    async def list_more(self, entered: Entered) -> Shown:
        settings = self._settings(entered)
        return await self._screen.listed(await self._screen.tab(entered, settings), settings, limit=SHOWN_CHATS * 20)

    async def take_in(self, entered: Entered) -> Shown:
        """A chat out of a file."""
        choice = self._screen.begin(entered)
        shown = await notify_errors(self._imported(Path(str(entered[self._import])), self._settings(entered)))
        return self._if_latest(choice, shown)

    async def save_as(self, entered: Entered) -> str:
        """The path of a file for the browser to fetch."""
        return await notify_errors(
            self._exported(await notify_errors(self._screen.seen_tab(entered, self._page.settings)))
        )

    async def _chosen(self, entered: Entered, choice: ChatSwitch) -> AsyncGenerator[Shown, None]:
        settings, chosen = self._settings(entered), entered[self._list.chats]
        tab = await self._screen.tab(entered, settings)
        if not chosen or settings.multi_user:
            yield {}
            return
        opened = ChatTab(place=tab.place, chat=str(chosen))

        async def pending() -> ChatTab:
            return opened

        choice.leads_to(pending)
        yield {}
        async with aclosing(self._opened(opened, settings)) as steps:
            async for shown in steps:
                yield shown

    async def _moved(self, entered: Entered, choice: ChatSwitch) -> AsyncGenerator[Shown, None]:
        settings = self._settings(entered)
        tab = await self._screen.tab(entered, settings)
        is_moved = place_of(settings) != tab.place
        if is_moved:
            choice.leads_to(lambda: self._screen.first_tab(settings))
        yield {}
        if not is_moved and not tab.chat:
            return
        tab = await self._screen.first_tab(settings) if is_moved else tab
        async with aclosing(self._opened(tab, settings)) as steps:
            async for shown in steps:
                yield shown

    async def _begun(self, entered: Entered, choice: ChatSwitch, *, is_kept: bool) -> AsyncGenerator[Shown, None]:
        settings = self._settings(entered)
        choice.leads_to(lambda: self._screen.new_tab(settings, is_kept=is_kept))
        yield {}
        yield await notify_errors(self._all(await self._screen.new_tab(settings, is_kept=is_kept), settings))

    def _if_latest(self, choice: ChatSwitch, shown: Shown) -> Shown:
        """What an event shows besides a chat is shown anyway."""
        besides = {self._list.undo, self._removed}
        return shown if choice.is_latest else {each: shown[each] for each in besides & shown.keys()}

    async def _opened(self, tab: ChatTab, settings: Settings) -> AsyncGenerator[Shown, None]:
        try:
            history = await self._screen.history(tab, settings)
        except ServiceError as error:
            raise failure(error.message) from None
        reply = self._page.active_replies.running(tab)
        await self._note_last(tab)
        listed = await self._screen.listed(tab, settings)
        if reply is None:
            yield merged(await self._screen.shown(tab, history), listed)
            return
        yield listed
        async with aclosing(self._replies.follow(tab, reply, settings)) as steps:
            async for shown in steps:
                yield shown

    async def _new(self, settings: Settings, *, is_kept: bool = True) -> Shown:
        return await self._all(await self._screen.new_tab(settings, is_kept=is_kept), settings)

    async def _all(self, tab: ChatTab, settings: Settings) -> Shown:
        history = await self._screen.history(tab, settings)
        await self._note_last(tab)
        return merged(await self._screen.shown(tab, history), await self._screen.listed(tab, settings))

    async def _note_last(self, tab: ChatTab) -> None:
        """The next visit begins with this chat."""
        if tab.chat and tab.is_kept:
            await asyncio.to_thread(self._histories.set_last, tab.place, tab.chat)

    async def _renamed(self, tab: ChatTab, chat: str, name: str, settings: Settings) -> Shown:
        _refuse_visitors(settings)
        if self._page.active_replies.running(ChatTab(place=tab.place, chat=chat)) is not None:
            raise Busy("A reply is being written to this chat. Stop it first.")
        if not chat or not name:
            raise BadRequest(_NAMELESS)
        named = await asyncio.to_thread(self._chats.rename, tab.place, chat, name)
        tab = ChatTab(place=tab.place, chat=named) if chat == tab.chat else tab
        return merged(await self._screen.listed(tab, settings), self._screen.at(tab))

    async def _deleted(self, tab: ChatTab, settings: Settings) -> Shown:
        await self._page.active_replies.end(tab)
        if not tab.chat or not tab.is_kept:
            return await self._new(settings)
        _refuse_visitors(settings)
        removed = await asyncio.to_thread(self._chats.delete, tab.place, tab.chat)
        return merged(await self._new(settings), {self._list.undo: gr.Button(visible=True), self._removed: removed})

    async def _restored(self, removed: RemovedChat | None, settings: Settings) -> Shown:
        _refuse_visitors(settings)
        if removed is None:
            raise BadRequest("There is nothing to restore.")
        chat = await asyncio.to_thread(self._chats.restore, removed)
        shown = await self._all(ChatTab(place=removed.place, chat=chat), settings)
        return merged(shown, {self._list.undo: gr.Button(visible=False), self._removed: None})

    async def _found(self, tab: ChatTab, words: str, settings: Settings) -> Shown:
        if not words.strip() or settings.multi_user:
            return await self._screen.listed(tab, settings)
        hits = await asyncio.to_thread(self._histories.search, words, place=tab.place, limit=SHOWN_CHATS)
        choices = [(_line(hit), hit.id) for hit in hits]
        return {self._list.chats: gr.Radio(choices=choices, value=None), self._list.more: gr.Button(visible=False)}

    async def _imported(self, file: Path, settings: Settings) -> Shown:
        _refuse_visitors(settings)
        content = await asyncio.to_thread(file.read_bytes)
        place = place_of(settings)
        chat = await asyncio.to_thread(self._histories.import_file, place, file.name, content)
        return await self._all(ChatTab(place=place, chat=chat), settings)

    async def _exported(self, tab: ChatTab) -> str:
        if not tab.chat or not tab.is_kept:
            raise BadRequest("This chat is not saved yet. Write a message first.")
        content = await asyncio.to_thread(self._histories.export, tab.place, tab.chat)
        return await asyncio.to_thread(_in_a_file, tab.chat, content)

    def _settings(self, entered: Entered) -> Settings:
        try:
            return self._page.saved_settings.remember(self._page.inputs.values(entered))
        except ServiceError as error:
            raise failure(error.message) from None


def _refuse_visitors(settings: Settings) -> None:
    if settings.multi_user:
        raise BadRequest("Chats are not saved with --multi-user.")


def _line(hit: ChatHit) -> str:
    is_in_title = not hit.snippet or hit.snippet.startswith(hit.title)
    return hit.title if is_in_title else f"{hit.title} — {hit.snippet}"


def _in_a_file(name: str, content: bytes) -> str:
    folder = Path(tempfile.mkdtemp(dir=upload_folder()))
    file = folder / f"{name}.json"
    file.write_bytes(content)
    return str(file)
