"""A branch of a chat: a copy of it up to one of its messages."""

import asyncio
from dataclasses import replace

from modules.chat.session import session
from modules.chat.session.tree import end_digest
from modules.library.chats.arrangement import ChatOrigin
from modules.library.chats.history import History
from modules.ui.page.page import Page
from modules.ui.replies.tab_state import ChatTab


async def branch_at(page: Page, tab: ChatTab, history: History, row: int | None) -> tuple[ChatTab, History]:
    """The chat that is shown from now on: a copy up to `row`, or whole. One that lies nowhere becomes the branch itself.
    Raises BadRequest where there is no such row."""
    copied = history if row is None else session.branched(history, row)
    if not tab.is_kept:
        return replace(tab, history=copied), copied
    place, library = tab.place, page.runtime.library
    origin = origin_of(tab.chat, copied)
    copy = await asyncio.to_thread(library.chats.copy, place, tab.chat, copied, kind="branch", origin=origin)
    await asyncio.to_thread(library.histories.set_last, place, copy)
    page.list_changes.note()
    return ChatTab(place=place, chat=copy), copied


def origin_of(chat: str, branch: History) -> ChatOrigin:
    """Of a branch that ends with the message of `chat` at which it branched off."""
    return ChatOrigin(chat=chat, row=max(0, len(branch.rows) - 1), digest=end_digest(branch))
