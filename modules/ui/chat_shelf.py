"""Events of the list of past chats: opening, making, naming, deleting with undo, searching; files in and out."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from modules.errors import BadRequest, ServiceError
from modules.library.histories import ChatHit, Place, Removed
from modules.library.history import History
from modules.settings import Settings
from modules.ui.chat_parts import ChatList, Conversation
from modules.ui.chat_replies import ChatReplies
from modules.ui.chat_screen import SHOWN_CHATS, ChatScreen, Shown, merged, place_of
from modules.ui.page import Page, failure, told
from modules.ui.state import Tab

Entered = Mapping[Component, Any]


class ChatShelf:
    def __init__(
        self, page: Page, middle: Conversation, chats: ChatList, screen: ChatScreen, replies: ChatReplies
    ) -> None:
        self._page = page
        self._middle = middle
        self._list = chats
        self._screen = screen
        self._replies = replies
        self._histories = page.runtime.library.histories

    async def first(self) -> AsyncGenerator[Shown, None]:
        """For a browser that opens the page: the chat that was open last, with the reply that it may be getting."""
        settings = self._page.settings
        tab = await self._screen.first_tab(settings)
        async with aclosing(self._opened(tab, settings)) as steps:
            async for shown in steps:
                yield shown

    async def open(self, tab: Tab, chosen: str | None) -> AsyncGenerator[Shown, None]:
        settings = self._page.settings
        if chosen and not settings.multi_user:
            async with aclosing(self._opened(Tab(place=tab.place, chat=chosen), settings)) as steps:
                async for shown in steps:
                    yield shown

    async def elsewhere(self, entered: Entered) -> AsyncGenerator[Shown, None]:
        """Another mode or character was chosen: its chats, and the one that was open last among them."""
        settings = self._page.remembered.remember(self._page.inputs.values(entered))
        if place_of(settings) != entered[self._middle.tab].place:
            async with aclosing(self._opened(await self._screen.first_tab(settings), settings)) as steps:
                async for shown in steps:
                    yield shown

    async def new(self) -> Shown:
        return await told(self._new(is_kept=True))

    async def incognito(self) -> Shown:
        gr.Info("This chat is kept nowhere. It is gone when you leave it or reload the page.", title="Incognito")
        return await told(self._new(is_kept=False))

    async def rename(self, tab: Tab, name: str) -> Shown:
        return await told(self._renamed(tab, name))

    async def ask_name(self, tab: Tab) -> Shown:
        if not tab.chat or not tab.is_kept:
            raise failure("This chat is not kept, so it has no name. Write a message first.")
        return {self._list.name: gr.Textbox(value="", visible=True)}

    async def delete(self, tab: Tab) -> Shown:
        return await told(self._deleted(tab))

    async def undo(self, removed: Removed | None) -> Shown:
        return await told(self._restored(removed))

    async def search(self, tab: Tab, words: str) -> Shown:
        """Chats of the mode or character in which all the words occur; without words, the list again."""
        return await told(self._found(tab, words))

    async def list_more(self, tab: Tab) -> Shown:
        return await self._screen.listed(tab, self._page.settings, limit=SHOWN_CHATS * 20)

    async def take_in(self, tab: Tab, file: str) -> Shown:
        """A chat out of a file."""
        return await told(self._imported(tab, Path(file)))

    async def save_as(self, tab: Tab) -> str:
        """The path of a file for the browser to fetch."""
        return await told(self._exported(tab))

    async def _opened(self, tab: Tab, settings: Settings) -> AsyncGenerator[Shown, None]:
        try:
            history = await self._screen.history(tab, settings)
        except ServiceError as error:
            raise failure(error.message) from None
        reply = self._page.desk.running(tab)
        if tab.chat and tab.is_kept:
            await asyncio.to_thread(self._histories.set_last, tab.place, tab.chat)
        listed = await self._screen.listed(tab, settings)
        if reply is None:
            yield merged(await self._screen.shown(tab, history), listed)
            return
        yield listed
        async with aclosing(self._replies.follow(tab, reply, settings)) as steps:
            async for shown in steps:
                yield shown

    async def _new(self, *, is_kept: bool) -> Shown:
        settings = self._page.settings
        return await self._all(await self._screen.new_tab(settings, is_kept=is_kept), settings)

    async def _all(self, tab: Tab, settings: Settings, history: History | None = None) -> Shown:
        history = await self._screen.history(tab, settings) if history is None else history
        return merged(await self._screen.shown(tab, history), await self._screen.listed(tab, settings))

    async def _renamed(self, tab: Tab, name: str) -> Shown:
        self._refuse_visitors()
        if self._page.desk.running(tab) is not None:
            raise BadRequest("A reply is being written to this chat. Stop it first.")
        if not name.strip():
            return {self._list.name: gr.Textbox(visible=False)}
        chat = await asyncio.to_thread(self._histories.rename, tab.place, tab.chat, name.strip())
        tab = Tab(place=tab.place, chat=chat)
        listed = await self._screen.listed(tab, self._page.settings)
        return merged(listed, {self._middle.tab: tab, self._list.name: gr.Textbox(value="", visible=False)})

    async def _deleted(self, tab: Tab) -> Shown:
        self._refuse_visitors()
        settings = self._page.settings
        self._page.desk.stop(tab)
        if not tab.chat or not tab.is_kept:
            return await self._all(await self._screen.new_tab(settings), settings)
        removed = await asyncio.to_thread(self._histories.delete, tab.place, tab.chat)
        shown = await self._all(await self._screen.new_tab(settings), settings)
        return merged(shown, {self._list.undo: gr.Button(visible=True), self._removed: removed})

    async def _restored(self, removed: Removed | None) -> Shown:
        self._refuse_visitors()
        if removed is None:
            raise BadRequest("There is nothing to bring back.")
        await asyncio.to_thread(self._histories.restore, removed)
        tab = Tab(place=removed.place, chat=removed.id)
        shown = await self._all(tab, self._page.settings)
        return merged(shown, {self._list.undo: gr.Button(visible=False), self._removed: None})

    async def _found(self, tab: Tab, words: str) -> Shown:
        settings = self._page.settings
        if not words.strip() or settings.multi_user:
            return await self._screen.listed(tab, settings)
        hits = await asyncio.to_thread(self._histories.search, words, place=tab.place, limit=SHOWN_CHATS)
        choices = [(_line(hit), hit.id) for hit in hits]
        return {self._list.chats: gr.Radio(choices=choices, value=None), self._list.more: gr.Button(visible=False)}

    async def _imported(self, tab: Tab, file: Path) -> Shown:
        self._refuse_visitors()
        content = await asyncio.to_thread(file.read_bytes)
        place = place_of(self._page.settings) if tab.is_kept else Place(tab.place.character)
        chat = await asyncio.to_thread(self._histories.import_file, place, file.name, content)
        return await self._all(Tab(place=place, chat=chat), self._page.settings)

    async def _exported(self, tab: Tab) -> str:
        if not tab.chat or not tab.is_kept:
            raise BadRequest("This chat is not kept yet. Write a message first.")
        content = await asyncio.to_thread(self._histories.export, tab.place, tab.chat)
        return await asyncio.to_thread(_in_a_file, tab.chat, content)

    def _refuse_visitors(self) -> None:
        if self._page.settings.multi_user:
            raise BadRequest("Chats are not kept here (--multi-user).")

    def remembers_removed_in(self, removed: gr.State) -> None:
        """Where a tab keeps what it has deleted last."""
        self._removed = removed


def _line(hit: ChatHit) -> str:
    is_in_title = not hit.snippet or hit.snippet.startswith(hit.title)
    return hit.title if is_in_title else f"{hit.title} — {hit.snippet}"


def _in_a_file(name: str, content: bytes) -> str:
    folder = Path(tempfile.mkdtemp(dir=_temporary()))
    file = folder / f"{name}.json"
    file.write_bytes(content)
    return str(file)


def _temporary() -> str:
    """Gradio's own folder, from which alone it serves files."""
    folder = Path(gr.utils.get_upload_folder())
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)
