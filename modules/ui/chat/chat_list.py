"""Events of the list of chats: open, create, rename, copy, delete with undo, import, export."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.errors import BadRequest, ServiceError
from modules.library.chats.archive import Imported
from modules.library.chats.histories import RemovedChat
from modules.settings.values import Settings
from modules.ui.chat.branches.branching import origin_of
from modules.ui.chat.choices import ChatSwitch, ChatSwitches
from modules.ui.chat.layout.parts import ChatParts
from modules.ui.chat.replies import ReplyHandlers
from modules.ui.chat.screen import ChatScreen, Shown, merged, place_of
from modules.ui.chatlist.addresses import absence, asked_chat, asks_new
from modules.ui.chatlist.files import ALL_CHATS, exported
from modules.ui.page.languages import text
from modules.ui.page.page import Page, failure, notify_errors
from modules.ui.replies.tab_state import ChatTab
from modules.ui.shell.internals import sent_data, upload_folder

Entered = Mapping[Component, Any]

_NAMELESS: Final = "This chat is not saved yet. Write a message first."


class ChatListHandlers:
    """`replies` follows a reply that is being written to a chat that is opened."""

    def __init__(self, page: Page, parts: ChatParts, screen: ChatScreen, replies: ReplyHandlers) -> None:
        self._page = page
        self._middle = parts.middle
        self._list = parts.left
        self._removed = parts.removed
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
        tab = await self._addressed(settings, asked_chat(place) or "")
        if tab is None:
            new = asks_new(place)
            tab = await (self._screen.new_tab(settings) if new else self._screen.first_tab(settings, place))
        async with aclosing(self._screen.latest(choice, self._opened(tab, settings))) as steps:
            async for shown in steps:
                # The menu was sent with the page.
                yield {each: value for each, value in shown.items() if each is not self._screen.uses.persona}

    async def open(self, entered: Entered, event: gr.EventData) -> AsyncGenerator[Shown, None]:
        """A chat of the list, or with an empty id a new one; or the one that is shown, which is another one by now."""
        choice = self._screen.begin(entered)
        chat = _named(event, "chat")
        if _named(event, "changed"):
            steps = self._changed(entered, choice, chat)
        else:
            steps = self._chosen(entered, choice, chat) if chat else self._begun(entered, choice, is_kept=True)
        async with aclosing(self._screen.latest(choice, steps)) as latest:
            async for shown in latest:
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
        choice = self._screen.begin(entered)
        async with aclosing(self._screen.latest(choice, self._begun(entered, choice, is_kept=False))) as steps:
            async for shown in steps:
                yield shown

    async def rename(self, entered: Entered, event: gr.EventData) -> Shown:
        settings = self._settings(entered)
        tab = await self._screen.tab(entered, settings)
        return await notify_errors(self._renamed(tab, _named(event, "chat"), _named(event, "name"), settings))

    async def delete(self, entered: Entered, event: gr.EventData) -> Shown:
        """The chat that is shown, or the one of the list that is named."""
        settings, chat = self._settings(entered), _named(event, "chat")
        tab = await self._screen.tab(entered, settings)
        if chat and chat != tab.chat:
            return await notify_errors(self._deleted_other(tab, chat, settings))
        tab = await notify_errors(self._screen.seen_tab(entered, settings))
        choice = self._screen.begin(entered)
        return self._if_latest(choice, await notify_errors(self._deleted(tab, settings)))

    async def copy(self, entered: Entered, event: gr.EventData) -> Shown:
        """A branch or copy of a chat, which is shown then."""
        settings = self._settings(entered)
        tab = await self._screen.tab(entered, settings)
        choice = self._screen.begin(entered)
        kind = "copy" if _named(event, "kind") == "copy" else "branch"
        shown = await notify_errors(self._copied(tab, _named(event, "chat"), kind, settings))
        return self._if_latest(choice, shown)

    async def undo(self, entered: Entered) -> Shown:
        choice = self._screen.begin(entered)
        shown = await notify_errors(self._restored(entered[self._removed], self._settings(entered)))
        return self._if_latest(choice, shown)

    async def take_in(self, entered: Entered) -> Shown:
        """Chats out of files, the last of which is shown."""
        choice = self._screen.begin(entered)
        files = [Path(str(file)) for file in entered[self._list.taken] or ()]
        shown = await notify_errors(self._imported(files, self._settings(entered)))
        return self._if_latest(choice, shown)

    async def save_as(self, entered: Entered, event: gr.EventData) -> str:
        """The path of a file for the browser to fetch."""
        tab = await self._screen.tab(entered, self._page.settings)
        return await notify_errors(self._exported(tab, _named(event, "chat"), _named(event, "format")))

    async def _addressed(self, settings: Settings, chat: str) -> ChatTab | None:
        """The chat of the address that the page was opened with; a new one, with a note, where that is not here."""
        if not chat:
            return None
        if settings.multi_user:
            gr.Warning("Chats are not saved here, so none can be opened by its address.")
            return None
        place = place_of(settings)
        current = await asyncio.to_thread(self._chats.current, place, chat)
        if current is None:
            gr.Warning(await asyncio.to_thread(absence, self._histories, place, chat))
            return await self._screen.new_tab(settings)
        tab = ChatTab(place=place, chat=current)
        try:
            await self._page.active_replies.history(tab)
        except ServiceError as error:
            gr.Warning(error.message)
            return await self._screen.new_tab(settings)
        return tab

    async def _chosen(self, entered: Entered, choice: ChatSwitch, chat: str) -> AsyncGenerator[Shown, None]:
        settings = self._settings(entered)
        tab = await self._screen.tab(entered, settings)
        if settings.multi_user:
            yield {}
            return

        async def pending() -> ChatTab:
            return ChatTab(place=tab.place, chat=chat)

        choice.leads_to(pending)
        yield {}
        current = await asyncio.to_thread(self._chats.current, tab.place, chat)
        if current is None:
            raise failure(await asyncio.to_thread(absence, self._histories, tab.place, chat))
        async with aclosing(self._opened(ChatTab(place=tab.place, chat=current), settings)) as steps:
            async for shown in steps:
                yield shown

    async def _changed(self, entered: Entered, choice: ChatSwitch, chat: str) -> AsyncGenerator[Shown, None]:
        """The chat as another tab has left it; a new one, with a note, where it is gone. Nobody has asked for that: what
        stands in the fields of this tab is not remembered."""
        settings = self._page.saved_settings.checked(self._page.inputs.values(entered))
        known = await self._screen.tab(entered, settings)

        async def pending() -> ChatTab:
            current = await asyncio.to_thread(self._chats.current, known.place, chat)
            return ChatTab(place=known.place, chat=current) if current else await self._screen.new_tab(settings)

        choice.leads_to(pending)
        yield {}
        if settings.multi_user:
            return
        tab = await pending()
        if not tab.chat:
            gr.Warning(text("This chat was deleted in another tab. What stands in the box is kept."))
        async with aclosing(self._opened(tab, settings, is_chosen=False)) as steps:
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

    async def _opened(self, tab: ChatTab, settings: Settings, *, is_chosen: bool = True) -> AsyncGenerator[Shown, None]:
        try:
            history = await self._screen.history(tab, settings)
        except ServiceError as error:
            raise failure(error.message) from None
        reply = self._page.active_replies.running(tab)
        if is_chosen:
            await self._note_last(tab)
        if reply is None:
            yield merged(await self._screen.shown(tab, history), await self._screen.listed(tab, settings))
            return
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
        chat = chat or (tab.chat if tab.is_kept else "")
        if not chat or not name.strip():
            raise BadRequest(_NAMELESS)
        is_written = self._page.active_replies.running(ChatTab(place=tab.place, chat=chat)) is not None
        # A reply is kept by the id that the chat had when it began.
        rename = self._chats.call if is_written else self._chats.rename
        named = await asyncio.to_thread(rename, tab.place, chat, name)
        self._page.list_changes.note()
        tab = ChatTab(place=tab.place, chat=named, marks=tab.marks) if chat == tab.chat else tab
        return merged(await self._screen.listed(tab, settings), self._screen.at(tab))

    async def _deleted(self, tab: ChatTab, settings: Settings) -> Shown:
        await self._page.active_replies.end(tab)
        if not tab.chat or not tab.is_kept:
            return await self._new(settings)
        return merged(await self._removed_chat(tab, settings), await self._new(settings))

    async def _deleted_other(self, tab: ChatTab, chat: str, settings: Settings) -> Shown:
        other = ChatTab(place=tab.place, chat=chat)
        await self._page.active_replies.end(other)
        return merged(await self._removed_chat(other, settings), await self._screen.listed(tab, settings))

    async def _removed_chat(self, tab: ChatTab, settings: Settings) -> Shown:
        _refuse_visitors(settings)
        removed = await asyncio.to_thread(self._chats.delete, tab.place, tab.chat)
        self._page.list_changes.seen(tab.key)
        self._page.list_changes.note()
        return {self._list.undo: gr.Button(visible=True), self._removed: removed}

    async def _copied(self, tab: ChatTab, chat: str, kind: str, settings: Settings) -> Shown:
        _refuse_visitors(settings)
        other = tab if chat in {"", tab.chat} else ChatTab(place=tab.place, chat=chat)
        if not other.chat or not other.is_kept:
            raise BadRequest(_NAMELESS)
        self._page.active_replies.check_free(other)
        history = await self._page.active_replies.history(other)
        origin = origin_of(other.chat, history) if kind == "branch" else None
        copy = await asyncio.to_thread(self._chats.copy, tab.place, other.chat, history, kind=kind, origin=origin)
        self._page.list_changes.note()
        return await self._all(ChatTab(place=tab.place, chat=copy), settings)

    async def _restored(self, removed: RemovedChat | None, settings: Settings) -> Shown:
        _refuse_visitors(settings)
        if removed is None:
            raise BadRequest("There is nothing to restore.")
        chat = await asyncio.to_thread(self._chats.restore, removed)
        self._page.list_changes.note()
        shown = await self._all(ChatTab(place=removed.place, chat=chat), settings)
        return merged(shown, {self._list.undo: gr.Button(visible=False), self._removed: None})

    async def _imported(self, files: Sequence[Path], settings: Settings) -> Shown:
        _refuse_visitors(settings)
        archive, place = self._page.runtime.library.archive, place_of(settings)
        chats: list[Imported] = []
        for file in files:
            content = await asyncio.to_thread(file.read_bytes)
            chats += await asyncio.to_thread(archive.take_in, place, file.name, content)
        if not chats:
            raise BadRequest("There are no chats in these files that are not here already.")
        self._page.list_changes.note()
        if len(chats) > 1:
            gr.Info(text("{count} chats were imported.", count=len(chats)))
        here = [chat for there, chat in chats if there == place]
        if len(here) < len(chats):
            gr.Info("Some chats belong to other modes or characters. Choose those to see them.")
        if not here:
            return {}
        return await self._all(ChatTab(place=place, chat=here[-1]), settings)

    async def _exported(self, tab: ChatTab, chat: str, kind: str) -> str:
        _refuse_visitors(self._page.settings)
        library, chat = self._page.runtime.library, chat or (tab.chat if tab.is_kept else "")
        if kind == "zip":
            return await asyncio.to_thread(_in_a_file, ALL_CHATS, library.archive.all())
        if not chat:
            raise BadRequest(_NAMELESS)
        name, content = await asyncio.to_thread(exported, library, tab.place, chat, kind)
        return await asyncio.to_thread(_in_a_file, name, iter((content,)))

    def _settings(self, entered: Entered) -> Settings:
        try:
            return self._page.saved_settings.remember(self._page.inputs.values(entered))
        except ServiceError as error:
            raise failure(error.message) from None


def _refuse_visitors(settings: Settings) -> None:
    if settings.multi_user:
        raise BadRequest("Chats are not saved with --multi-user.")


def _named(event: gr.EventData, name: str) -> str:
    """What the page's script sends along under that name."""
    sent = sent_data(event)
    return str(sent.get(name) or "") if isinstance(sent, Mapping) else ""


def _in_a_file(name: str, parts: Iterator[bytes]) -> str:
    path = Path(tempfile.mkdtemp(dir=upload_folder())) / name
    with path.open("wb") as file:
        for part in parts:
            file.write(part)
    return str(path)
