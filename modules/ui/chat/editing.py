"""Events of the Chat tab that change a conversation: editing, versions, branches, removing."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import gradio as gr
from gradio.components import Component

from modules.chat.citations import KNOWLEDGE
from modules.chat.session import session
from modules.chat.session.tree import with_path
from modules.errors import BadRequest, Busy, ServiceError
from modules.library.chats.history import Attachment, History, Side
from modules.media.pictures.data_urls import bytes_in
from modules.settings.values import Settings
from modules.ui.branches.info import path_of
from modules.ui.chat.branches.branching import branch_at
from modules.ui.chat.choices import ChatSwitch
from modules.ui.chat.layout.conversation import ConversationParts
from modules.ui.chat.screen import ChatScreen, Shown, merged
from modules.ui.knowledge.links import without_links
from modules.ui.page.escape import as_written
from modules.ui.page.languages import text
from modules.ui.page.page import Page, failure, notify_errors
from modules.ui.replies.draft import divided, joined
from modules.ui.replies.marks import ChangedElsewhere, Fact, Part
from modules.ui.replies.requests import chat_request, user_of
from modules.ui.replies.running import timestamp
from modules.ui.replies.tab_state import ChatTab
from modules.ui.shell.internals import sent_data, upload_folder

Entered = Mapping[Component, Any]


class EditHandlers:
    """Handlers return values for components, by component. While a reply is being written nothing can be changed."""

    def __init__(self, page: Page, middle: ConversationParts, screen: ChatScreen) -> None:
        self._page = page
        self._middle = middle
        self._screen = screen

    async def edit(self, entered: Entered, event: gr.EditData) -> Shown:
        chat = await self._open(entered)
        return await notify_errors(
            self._seen(chat, self._edited(chat, event.index, without_links(as_written(str(event.value)))))
        )

    async def act(self, entered: Entered, asked: Mapping[str, Any]) -> Shown:
        """What the page's script asks for: a version of a message to show, or where to branch."""
        chat = await self._open(entered)
        return await notify_errors(self._seen(chat, self._acted(chat, asked)))

    async def show_branch(self, entered: Entered, event: gr.EventData) -> Shown:
        """Another branch of the chat, chosen in the inspector."""
        chat = await self._open(entered)
        return await notify_errors(self._seen(chat, self._branch_shown(chat, sent_data(event))))

    async def remove_last(self, entered: Entered) -> Shown:
        """The last message and its reply go; what the user had said is in the box again."""
        chat = await self._open(entered)
        return await notify_errors(self._seen(chat, self._removed(chat)))

    async def dummy_message(self, entered: Entered) -> Shown:
        return await notify_errors(self._dummy(entered, session.with_dummy_message))

    async def dummy_reply(self, entered: Entered) -> Shown:
        return await notify_errors(self._dummy(entered, session.with_dummy_reply))

    async def count(self, entered: Entered) -> None:
        """Tells how many tokens the conversation has, with what is in the box."""
        await notify_errors(self._counted(entered))

    async def _edited(self, chat: "_Open", index: object, text: str) -> Shown:
        history = await self._free_history(chat)
        fact = await self._fact(chat, history, index[0] if isinstance(index, list) else index)
        if fact is None or fact.part is Part.TOOL:
            raise BadRequest("Calls of tools and their answers cannot be edited.")
        turn = session.turn_at(history, fact.row, fact.side)
        whole = _with_part(turn.text, text, fact.part) if fact.side is Side.ASSISTANT else text
        return await self._changed(chat, session.edited(history, fact.row, fact.side, whole, timestamp=timestamp()))

    async def _acted(self, chat: "_Open", act: Mapping[str, Any]) -> Shown:
        history = await self._free_history(chat)
        fact = await self._fact(chat, history, act.get("index"))
        if fact is None:
            raise BadRequest("That message is no longer there. Reload the page.")
        if act.get("act") == "branch":
            return await self._branched(chat, fact.row)
        return await self._changed(chat, _other_version(history, fact, 1 if act.get("act") == "next" else -1))

    async def _branch_shown(self, chat: "_Open", asked: Mapping[str, Any]) -> Shown:
        history = await self._free_history(chat)
        path, mark = path_of(asked)
        return await self._changed(chat, with_path(history, path, mark))

    async def _branched(self, chat: "_Open", row: int) -> Shown:
        """A copy of the chat up to a row, which is the one that is shown from now on."""
        history = await self._free_history(chat)
        if not history.rows:
            raise BadRequest("There is nothing to branch from yet.")
        tab, copied = await branch_at(self._page, chat.tab, history, row)
        return await self._all(chat, tab, copied)

    async def _removed(self, chat: "_Open") -> Shown:
        history = await self._free_history(chat)
        if chat.tab.marks is not None:
            chat.tab.marks.check_end(history)
        removed = history.rows[-1].user.attachments if history.rows else ()
        files = await asyncio.to_thread(_files_again, removed)
        history, text = session.removed_last(history)
        return merged(await self._changed(chat, history), {self._middle.composer.box: {"text": text, "files": files}})

    async def _dummy(self, entered: Entered, act: Callable[..., History]) -> Shown:
        chat = await self._open(entered)
        if not chat.text.strip():
            raise BadRequest("Write the text into the message box first.")
        history = await self._free_history(chat)
        chat = replace(chat, tab=await self._screen.named(chat.tab))
        changed = await self._changed(chat, act(history, chat.text, timestamp=timestamp()))
        return merged(changed, {self._middle.composer.box: None})

    async def _counted(self, entered: Entered) -> None:
        chat = await self._open(entered)
        history = await self._screen.history(chat.tab, chat.settings)
        history = session.with_message(history, chat.text) if chat.text.strip() else history
        user = await asyncio.to_thread(user_of, self._page.runtime.library.users, history, chat.settings)
        if not session.messages(history):
            raise BadRequest("The conversation is empty.")
        tokens = await self._page.runtime.chat.encode_chat(chat_request(chat.settings, history, user))
        card = await self._page.runtime.chat.card()
        used = text("{used} of {context} tokens of context are used.", used=len(tokens), context=card.context)
        gr.Info(used, title=text("This conversation"))

    async def _fact(self, chat: "_Open", history: History, index: object) -> Fact | None:
        """Of the message that the tab shows at this number. Raises ChangedElsewhere."""
        if chat.tab.marks is not None:
            return chat.tab.marks.fact(index, history)
        return (await self._screen.view(history)).fact(index)

    async def _seen(self, chat: "_Open", work: Awaitable[Shown]) -> Shown:
        """What `work` shows; where it is meant for a message that is not there any more, the chat as it is now."""
        try:
            return await work
        except ChangedElsewhere as changed:
            gr.Warning(changed.message)
            return await self._all(chat, chat.tab, await self._screen.history(chat.tab, chat.settings))

    async def _changed(self, chat: "_Open", history: History) -> Shown:
        tab = await self._page.active_replies.keep(await self._screen.named(chat.tab), history)
        return await self._all(chat, tab, history)

    async def _all(self, chat: "_Open", tab: ChatTab, history: History) -> Shown:
        """Nothing where another chat was chosen meanwhile."""
        shown = merged(await self._screen.shown(tab, history), await self._screen.listed(tab, chat.settings))
        return shown if chat.choice.is_latest else {}

    async def _free_history(self, chat: "_Open") -> History:
        """The conversation, unless a reply is being written to it."""
        if self._page.active_replies.running(chat.tab) is not None:
            raise Busy("A reply is being written to this chat. Stop it first.")
        return await self._screen.history(chat.tab, chat.settings)

    async def _open(self, entered: Entered) -> "_Open":
        try:
            settings = self._page.saved_settings.remember(self._page.inputs.values(entered))
        except ServiceError as error:
            raise failure(error.message) from None
        text = str((entered.get(self._middle.composer.box) or {}).get("text") or "")
        choice = entered[self._middle.choices].current
        return _Open(choice, await notify_errors(self._screen.seen_tab(entered, settings)), settings, text)


@dataclass(frozen=True, slots=True)
class _Open:
    """The choice that shows a chat, the chat, what has been entered beside it, and the text in its box."""

    choice: ChatSwitch
    tab: ChatTab
    settings: Settings
    text: str


def _with_part(whole: str, text: str, part: Part) -> str:
    """A reply in which the thought or the words are others."""
    reasoning, content = divided(whole)
    return joined(text, content) if part is Part.THOUGHT else joined(reasoning, text)


def _other_version(history: History, fact: Fact, step: int) -> History:
    index = fact.version + step
    if not 0 <= index < fact.versions:
        return history
    return session.with_version(history, fact.row, fact.side, index)


def _files_again(attachments: Sequence[Attachment]) -> list[str]:
    """The files of a message, to be sent once more: pictures as they were, of documents the text that was read in them."""
    files: list[str] = []
    for attachment in attachments:
        if attachment.type != KNOWLEDGE and (attachment.content or attachment.image_data):
            # A picture in a chat that came from elsewhere may be none.
            with suppress(BadRequest):
                files.append(str(_file_again(attachment)))
    return files


def _file_again(attachment: Attachment) -> Path:
    name = PurePath(attachment.name).name or "file"
    path = Path(tempfile.mkdtemp(dir=upload_folder())) / name
    if attachment.is_image:
        path.write_bytes(bytes_in(attachment.image_data, param="attachments"))
        return path
    # It holds no PDF or DOCX any more.
    path = path if attachment.type == "text/plain" else path.with_name(f"{name}.txt")
    path.write_text(attachment.content, encoding="utf-8")
    return path
