"""What the script of the list asks the server, without any event of the page."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from modules.errors import BadRequest, NotFound, ServiceError
from modules.library.chats import arrangement as arranged
from modules.library.chats.arrangement import Arrangement
from modules.library.chats.histories import Place
from modules.ui.chatlist.rows import MOST_CHATS, SHOWN_CHATS, ChatRows, Rows
from modules.ui.page.access import check_saves
from modules.ui.page.languages import text
from modules.ui.page.page import Page

_UNREADABLE: Final = "Invalid request. Reload the page and try again."

Asked = Mapping[str, Any]
Served = Callable[[Any], Awaitable[Rows]]


def served_functions(page: Page, rows: ChatRows) -> list[Served]:
    """Each takes one JSON object of a browser's, with the `character` whose chats are meant, and returns one; `error` in it
    says what is wrong."""

    async def list_changes(asked: Any) -> Rows:  # noqa: ANN401 - whatever a browser sends
        """The list where it is another one than `revision`, else just the revision; and what there is of `chat`, which
        the browser shows."""
        return await _told(_changes(page, rows, asked))

    async def search_chats(asked: Any) -> Rows:  # noqa: ANN401
        return await _told(_found(rows, asked))

    async def arrange_chats(asked: Any) -> Rows:  # noqa: ANN401
        """Does what `act` says to a chat or folder, and returns the list."""
        return await _told(_arranged(page, rows, asked))

    async def delete_chats(asked: Any) -> Rows:  # noqa: ANN401
        """How many chats there are, of all characters; with that `count` they are all deleted."""
        return await _told(_cleared(page, asked))

    return [list_changes, search_chats, arrange_chats, delete_chats]


async def _told(work: Awaitable[Rows]) -> Rows:
    try:
        return await work
    except ServiceError as error:
        return {"error": error.message}


async def _changes(page: Page, rows: ChatRows, asked: object) -> Rows:
    content = _object(asked)
    revision, limit = _text(content, "revision"), content.get("limit")
    place = _place(content)
    state = await _state(page, place, _text(content, "chat"))
    if revision == page.list_changes.revision:
        return {"revision": revision, **state}
    count = limit if isinstance(limit, int) else SHOWN_CHATS
    listed = await rows.rows(place, max(SHOWN_CHATS, min(count, MOST_CHATS)))
    chat = await _current(page, place, _text(content, "chat"))
    return {**listed, **state, "chat": chat, "title": await rows.title(place, chat)}


async def _state(page: Page, place: Place, chat: str) -> Rows:
    """`state` is as of `ActiveReplies`; `gone` says that there is no such chat."""
    if not chat or page.settings.multi_user:
        return {}
    current = await _current(page, place, chat)
    if not current:
        return {"gone": True}
    try:
        return {"state": await page.active_replies.state(place, current)}
    except ServiceError:
        return {}


async def _current(page: Page, place: Place, chat: str) -> str:
    """The chat that a browser shows, by its name of today."""
    if not chat or page.settings.multi_user:
        return ""
    return await asyncio.to_thread(page.runtime.library.chats.current, place, chat) or ""


async def _found(rows: ChatRows, asked: object) -> Rows:
    content = _object(asked)
    return await rows.found(_place(content), _text(content, "words"))


async def _arranged(page: Page, rows: ChatRows, asked: object) -> Rows:
    check_saves(page.settings)
    content = _object(asked)
    place, chat = _place(content), _text(content, "chat")
    current = await _current(page, place, chat)
    if chat and not current:
        raise NotFound("That chat is gone. Reload the page.", param="chat")
    act = _act({**content, "chat": current})
    await asyncio.to_thread(page.runtime.library.chats.change, place, act)
    page.list_changes.note()
    return await rows.rows(place, SHOWN_CHATS)


async def _cleared(page: Page, asked: object) -> Rows:
    check_saves(page.settings)
    count, library = _object(asked).get("count"), page.runtime.library
    there = [(place, chat) for place, chat, _ in await asyncio.to_thread(library.histories.paths)]
    if count is None:
        return {"count": len(there)}
    if count != len(there):
        raise BadRequest(text("There are {count} chats by now. Look again, nothing was deleted.", count=len(there)))
    await page.active_replies.end_all()
    await asyncio.to_thread(_delete_all, page, there)
    page.list_changes.note()
    return {"count": 0}


def _delete_all(page: Page, there: Sequence[tuple[Place, str]]) -> None:
    for place, chat in there:
        with suppress(NotFound):
            page.runtime.library.chats.delete(place, chat)


def _act(content: Asked) -> Callable[[Arrangement], Arrangement]:
    """Raises BadRequest for what is none."""
    chat, folder = _text(content, "chat"), _text(content, "folder")
    name, parent = _text(content, "name"), _text(content, "parent")
    tags = content.get("tags")
    acts: dict[str, Callable[[Arrangement], Arrangement]] = {
        "pin": partial(arranged.pinned, chat_id=chat, is_pinned=True),
        "unpin": partial(arranged.pinned, chat_id=chat, is_pinned=False),
        "move": partial(arranged.moved, chat_id=chat, folder_id=folder),
        "tag": partial(
            arranged.tagged, chat_id=chat, tags=[str(tag) for tag in tags] if isinstance(tags, list) else []
        ),
        "new folder": partial(_with_folder, name=name, parent=parent, chat=chat),
        "rename folder": partial(arranged.folder_renamed, folder_id=folder, name=name),
        "move folder": partial(arranged.folder_moved, folder_id=folder, parent=parent),
        "delete folder": partial(arranged.without_folder, folder_id=folder),
    }
    act = acts.get(_text(content, "act"))
    if act is None:
        raise BadRequest(_UNREADABLE)
    return act


def _with_folder(before: Arrangement, name: str, parent: str, chat: str) -> Arrangement:
    """A new folder, with the chat that it is made for."""
    after, folder = arranged.with_folder(before, name, parent)
    return arranged.moved(after, chat, folder) if chat else after


def _place(content: Asked) -> Place:
    """Names are checked where files are reached by them."""
    return Place(_text(content, "character") or None)


def _object(asked: object) -> Asked:
    if not isinstance(asked, dict):
        raise BadRequest(_UNREADABLE)
    return asked


def _text(content: Asked, name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str | None):
        raise BadRequest(_UNREADABLE)
    return "" if value is None else value.encode(errors="replace").decode()
