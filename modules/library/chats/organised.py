"""Conversations as their list shows them: the files, with what the user has arranged."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, count
from threading import Lock
from typing import Final

from modules.errors import BadRequest, NotFound
from modules.library.chats.arrangement import (
    MAX_NAME,
    NOTHING_NOTED,
    Arrangement,
    ChatFolder,
    ChatNotes,
    ChatOrigin,
    noted,
    renamed,
    titled,
)
from modules.library.chats.histories import ChatEntry, ChatHit, Histories, Place, RemovedChat
from modules.library.chats.history import History, is_named, title
from modules.library.chats.organisation import Organisation

# Searches for tags look through that many chats in which the words occur.
_MOST_HITS: Final = 1000
_COUNTED: Final = re.compile(r" \((?:branch|copy)(?: \d+)?\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedChat:
    """`folder` is an id; `pieces` are the passage that was found, in parts, each with whether it was looked for."""

    id: str
    title: str
    changed: float
    is_pinned: bool
    folder: str
    tags: tuple[str, ...]
    pieces: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedChat:
    """The other end of a branch, with the message of the older of both at which it branched off."""

    id: str
    title: str
    origin: ChatOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatListing:
    """The last changed first. `problem` says why what was arranged is not there."""

    chats: tuple[ListedChat, ...]
    folders: tuple[ChatFolder, ...] = ()
    has_more: bool = False
    problem: str = ""


class OrganisedChats:
    """Blocks for as long as the disk takes; safe to share between threads. What is noted of a chat goes with it when it is
    renamed, and is there again when its deletion is undone."""

    def __init__(self, histories: Histories, organisation: Organisation) -> None:
        self._histories = histories
        self._organisation = organisation
        self._removed: dict[int, ChatNotes] = {}
        self._lock = Lock()

    def list(self, place: Place, *, limit: int, offset: int = 0) -> ChatListing:
        """Chats that are pinned or in folders are in it however old they are, and do not count. Raises BadRequest."""
        arrangement = self._organisation.of(place)
        also = arrangement.arranged
        entries = self._histories.list(place, limit=limit + 1, offset=offset, also=also)
        others = [entry.id for entry in entries if entry.id not in also]
        left_out = set(others[limit:])
        return ChatListing(
            chats=tuple(_listed(entry, arrangement) for entry in entries if entry.id not in left_out),
            folders=arrangement.folders,
            has_more=bool(left_out),
            problem=self._organisation.problem,
        )

    def search(self, words: str, place: Place, *, limit: int) -> ChatListing:
        """Chats with every one of the words, or words that begin so, in their texts or title, and with every tag that is
        written as `#tag`."""
        arrangement = self._organisation.of(place)
        tags = [word[1:].casefold() for word in words.split() if word.startswith("#") and word != "#"]
        plain = [word for word in words.split() if not word.startswith("#")]
        found = self._found(place, " ".join(plain), arrangement, limit=_MOST_HITS if tags else limit)
        kept = (chat for chat in found if all(_has_tag(chat.tags, tag) for tag in tags))
        newest = sorted(kept, key=lambda chat: chat.changed, reverse=True)
        return ChatListing(chats=tuple(newest[:limit]), folders=arrangement.folders)

    def title(self, place: Place, chat_id: str) -> str:
        """Raises NotFound."""
        entry = self._histories.entry(place, chat_id)
        return self._organisation.of(place).notes(entry.id).title or entry.title

    def notes(self, place: Place, chat_id: str) -> ChatNotes:
        return self._organisation.of(place).notes(chat_id)

    def stored(self) -> bytes:
        """How all chats are arranged, as the content of a file."""
        return self._organisation.stored()

    def change(self, place: Place, act: Callable[[Arrangement], Arrangement]) -> Arrangement:
        """As `Organisation.change`."""
        return self._organisation.change(place, act)

    def rename(self, place: Place, chat_id: str, name: str) -> str:
        """Give a chat a name; returns its id. It becomes that of the file where a file can have it and none has; else it
        is noted. Raises BadRequest for an empty one, NotFound."""
        name = _plain(name)
        old_id = self._histories.entry(place, chat_id).id
        try:
            if not is_named(name):
                raise BadRequest("That is what a chat without a name is called.")
            new_id = self._histories.rename(place, old_id, name)
        except BadRequest:
            self.change(place, lambda before: titled(before, old_id, name))
            return old_id
        self.change(place, lambda before: renamed(before, old_id, new_id))
        return new_id

    def call(self, place: Place, chat_id: str, name: str) -> str:
        """As `rename`, and leaves the file where it is."""
        name = _plain(name)
        self.change(place, lambda before: titled(before, chat_id, name))
        return chat_id

    def name_once(self, place: Place, chat_id: str, name: str) -> None:
        """A title for a chat that nobody has named yet."""

        def named(before: Arrangement) -> Arrangement:
            return before if before.notes(chat_id).title else titled(before, chat_id, name)

        if not is_named(chat_id) and self._histories.stamp(place, chat_id) is not None:
            self.change(place, named)

    def delete(self, place: Place, chat_id: str) -> RemovedChat:
        """Raises NotFound."""
        removed = self._histories.delete(place, chat_id)
        notes = self.notes(place, removed.id)
        with self._lock:
            self._removed[removed.number] = notes
        self.change(place, lambda before: noted(before, removed.id, NOTHING_NOTED))
        return removed

    def restore(self, removed: RemovedChat) -> str:
        """As `Histories.restore`. A folder that was removed meanwhile does not come back."""
        chat_id = self._histories.restore(removed)
        with self._lock:
            notes = self._removed.pop(removed.number, NOTHING_NOTED)

        def again(before: Arrangement) -> Arrangement:
            is_there = any(each.id == notes.folder for each in before.folders)
            return noted(before, chat_id, notes if is_there else replace(notes, folder=""))

        self.change(removed.place, again)
        return chat_id

    def copy(self, place: Place, chat_id: str, history: History, *, kind: str, origin: ChatOrigin | None = None) -> str:
        """Write a branch or copy of a chat beside it, in its folder, with a title that says what it is; returns its id. A
        branch has its `origin`."""
        before = self._organisation.of(place)
        notes = before.notes(chat_id)
        own = _COUNTED.sub("", notes.title or title(chat_id, history))
        new_id = self._histories.copy(place, chat_id, history)

        def with_title(now: Arrangement) -> Arrangement:
            taken = {each.title for each in now.chats.values()}
            names = (f"{own} ({kind}{number})" for number in chain(("",), (f" {each}" for each in count(2))))
            name = next(each for each in names if each not in taken)
            return noted(now, new_id, ChatNotes(title=name, folder=notes.folder, tags=notes.tags, origin=origin))

        self.change(place, with_title)
        return new_id

    def branched_from(self, place: Place, chat_id: str) -> LinkedChat | None:
        """The chat that this one branched off; None where there is none, or it is gone."""
        origin = self.notes(place, chat_id).origin
        if origin is None:
            return None
        with suppress(NotFound, BadRequest):
            return LinkedChat(id=origin.chat, title=self.title(place, origin.chat), origin=origin)
        return None

    def branches_of(self, place: Place, chat_id: str) -> tuple[LinkedChat, ...]:
        """The chats that branched off this one and are still there, those that were changed first, first."""
        arrangement = self._organisation.of(place)
        origins = {chat: notes.origin for chat, notes in arrangement.chats.items()}
        own = {chat: origin for chat, origin in origins.items() if origin is not None and origin.chat == chat_id}
        found = sorted(self._histories.entries(place, own.keys()), key=lambda entry: entry.changed) if own else ()
        return tuple(
            LinkedChat(id=entry.id, title=_listed(entry, arrangement).title, origin=own[entry.id]) for entry in found
        )

    def current(self, place: Place, chat_id: str) -> str | None:
        """The id that the chat has now; None where there is none in this place."""
        now = self._organisation.of(place).current(chat_id)
        for each in dict.fromkeys((chat_id, now)):
            with suppress(NotFound, BadRequest):
                return self._histories.entry(place, each).id
        return None

    def _found(self, place: Place, words: str, arrangement: Arrangement, *, limit: int) -> Iterator[ListedChat]:
        hits: Sequence[ChatHit] = self._histories.search(words, place=place, limit=limit) if words else ()
        for hit in hits:
            entry = ChatEntry(hit.id, hit.title, hit.changed)
            yield replace(_listed(entry, arrangement), pieces=hit.pieces)
        looked = [word.casefold() for word in words.split()]
        known = {hit.id for hit in hits}
        named = (chat for chat, notes in arrangement.chats.items() if notes.title or notes.tags)
        asked = {chat for chat in named if chat not in known and _is_called(arrangement.notes(chat), looked)}
        for entry in self._histories.entries(place, asked):
            yield _listed(entry, arrangement)


def _listed(entry: ChatEntry, arrangement: Arrangement) -> ListedChat:
    notes = arrangement.notes(entry.id)
    return ListedChat(
        id=entry.id,
        title=notes.title or entry.title,
        changed=entry.changed,
        is_pinned=notes.is_pinned,
        folder=notes.folder,
        tags=notes.tags,
    )


def _plain(name: str) -> str:
    name = " ".join(name.split())[:MAX_NAME].rstrip()
    if not name:
        raise BadRequest("Give the chat a name.", param="name")
    return name


def _is_called(notes: ChatNotes, words: Sequence[str]) -> bool:
    """Whether every word begins one of its title or tags; without words, all are."""
    said = " ".join((notes.title, *notes.tags)).casefold().split()
    return all(any(each.startswith(word) for each in said) for word in words)


def _has_tag(tags: Sequence[str], begin: str) -> bool:
    return any(tag.casefold().startswith(begin) for tag in tags)
