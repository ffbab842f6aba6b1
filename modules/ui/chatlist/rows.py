"""The list of chats as the page's script draws it."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

from modules.errors import NotFound, ServiceError
from modules.library.chats.histories import Place
from modules.library.chats.organised import ChatListing, ListedChat
from modules.ui.page.page import Page

# More come when the list is scrolled to its end, or is looked through.
SHOWN_CHATS: Final = 100
MOST_CHATS: Final = 10_000
MOST_FOUND: Final = 100

Rows = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownChat:
    """The one that a tab shows; `id` is empty for one that is not stored yet. `is_temporary` says that it never is."""

    place: Place
    id: str = ""
    is_temporary: bool = False


class ChatRows:
    """Reads files, off the event loop. With --multi-user nobody has a list."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._chats = page.runtime.library.chats

    async def text(self, shown: ShownChat) -> str:
        """The whole list as text without marks of HTML, with the chat that is shown."""
        rows = await self.rows(shown.place, SHOWN_CHATS)
        own = {"chat": shown.id, "temporary": shown.is_temporary, "title": await self.title(shown.place, shown.id)}
        return json.dumps({**rows, **own}).replace("<", "\\u003c")

    async def rows(self, place: Place, limit: int) -> Rows:
        """Raises BadRequest."""
        revision = self._page.list_changes.revision
        if self._page.settings.multi_user:
            return self._told(place, ChatListing(chats=()), revision)
        listing = await asyncio.to_thread(self._chats.list, place, limit=limit)
        return self._told(place, listing, revision)

    async def found(self, place: Place, words: str) -> Rows:
        """Raises BadRequest, NotSupported."""
        revision = self._page.list_changes.revision
        if self._page.settings.multi_user:
            return self._told(place, ChatListing(chats=()), revision)
        listing = await asyncio.to_thread(self._chats.search, words, place, limit=MOST_FOUND)
        return self._told(place, listing, revision)

    async def title(self, place: Place, chat_id: str) -> str:
        """Empty for a chat that is not stored."""
        if not chat_id or self._page.settings.multi_user:
            return ""
        try:
            return await asyncio.to_thread(self._chats.title, place, chat_id)
        except (NotFound, ServiceError):
            return ""

    def _told(self, place: Place, listing: ChatListing, revision: str) -> Rows:
        writing = self._page.active_replies.writing(place)
        return {
            "character": place.character,
            "revision": revision,
            "chats": [self._row(place, chat, is_written=chat.id in writing) for chat in listing.chats],
            "folders": [{"id": each.id, "name": each.name, "parent": each.parent} for each in listing.folders],
            "more": listing.has_more,
            "problem": listing.problem,
        }

    def _row(self, place: Place, chat: ListedChat, *, is_written: bool) -> Rows:
        """Without what is as it mostly is."""
        said = {
            "pinned": chat.is_pinned,
            "folder": chat.folder,
            "tags": list(chat.tags),
            "writing": is_written,
            "unseen": not is_written and self._page.list_changes.is_unseen((place, chat.id)),
            "pieces": [[text, is_looked_for] for text, is_looked_for in chat.pieces],
        }
        return {
            "id": chat.id,
            "title": chat.title,
            "changed": chat.changed,
            **{name: value for name, value in said.items() if value},
        }
