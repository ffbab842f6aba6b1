"""The user's conversations on disk: list, read, save, rename, delete with undo, search."""

import heapq
import os
import sqlite3
from collections.abc import Container, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, count
from pathlib import Path
from threading import RLock
from typing import Final, NoReturn, TypeAlias

from modules.errors import BadRequest, NotFound, NotSupported
from modules.library.chats.file import MAX_CHAT_BYTES, history_bytes, history_in, read_history
from modules.library.chats.history import History, id_at, is_named
from modules.library.chats.importing import made_safe, move_into_place
from modules.library.chats.index import ChatHit, HistoryIndex, HistoryIndexing
from modules.library.chats.places import CHAT, ChatFile, ChatState, Place, Places, Removals, RemovedChat, RemovedFile
from modules.library.folder import blaming
from modules.library.text_files import read_bytes
from modules.paths import UserData, atomic_write

__all__ = ["INCOGNITO", "ChatEntry", "ChatHit", "Histories", "Place", "RemovedChat"]

# Chats whose ids begin so are never written.
INCOGNITO: Final = "incognito-"

_PARAM: Final = "chat"
# A search answers with what the index has by then; the rest is indexed in the background.
_CATCH_UP_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class ChatEntry:
    """A line of the list: `title` is the user's name for the chat or the beginning of its first message, `changed` the
    time of its last saving in seconds since 1970."""

    id: str
    title: str
    changed: float


# Within the class, `list` is the method.
_Entries: TypeAlias = list[ChatEntry]
_Hits: TypeAlias = list[ChatHit]


class Histories:
    """Files in `logs/instruct/` and `logs/chat/<character>/`, one for each conversation. Blocks for as long as the disk
    takes; safe to share between threads.

    Several tabs may have the same chat open. Saving writes the whole of it, and the last one to save is right; `stamp`
    tells whether somebody else has saved. A chat that was renamed goes on under its new name: whoever saves or reads it
    by the old one gets to the new one, as long as nothing else has that old name. A chat that was deleted stays
    deleted: saving it raises NotFound until it is restored, or its id is given to another chat.
    """

    def __init__(self, data: UserData) -> None:
        self._logs = data.logs
        self._places = Places(data)
        self._index = HistoryIndex(data.cache / "chats.sqlite3")
        self._indexing = HistoryIndexing(self._places, self._index)
        self._state = ChatState(data.chat_state)
        self._removals = Removals()
        # What became of ids: the id that a chat was renamed to, or None when it was deleted.
        self._fates: dict[tuple[Place, str], str | None] = {}
        self._issued: set[tuple[Place, str]] = set()
        # Reentrant, because saving under a lock may look for the chat's current id.
        self._lock = RLock()

    def new_id(self, place: Place) -> str:
        """The time as `YYYYMMDD-HH-MM-SS`, or a later one if that is taken; no two calls return the same."""
        with self._lock:
            moment = datetime.now(UTC).astimezone()
            while self._is_taken(place, id_at(moment)):
                moment += timedelta(seconds=1)
            self._issued.add((place, id_at(moment)))
            return id_at(moment)

    def list(self, place: Place, *, limit: int = 100, offset: int = 0, also: frozenset[str] = frozenset()) -> _Entries:
        """The last changed first. The chats `also` are in it however old they are, and do not count. Raises BadRequest."""
        self._adopt()
        self._indexing.begin()
        files = self._places.files(place)
        others = [file for file in files if file.id not in also] if also else files
        # Sorting all of ten thousand files for the first hundred would take longer than listing them.
        newest = heapq.nlargest(offset + limit, others, key=_moment)[offset:]
        return self._entries(place, [*newest, *(file for file in files if file.id in also)])

    def entry(self, place: Place, chat_id: str) -> ChatEntry:
        """As `list` has it. Raises NotFound, BadRequest."""
        path = self._existing(place, chat_id)
        try:
            status = path.stat()
        except FileNotFoundError:
            _missing(chat_id)
        name = path.name.removesuffix(CHAT)
        return self._entries(place, [ChatFile(place, name, str(path), status.st_mtime_ns, status.st_size)])[0]

    def entries(self, place: Place, chat_ids: Container[str]) -> _Entries:
        """Those of the chats that there are, as `list` has them."""
        return self._entries(place, [file for file in self._places.files(place) if file.id in chat_ids])

    def places_of(self, chat_id: str) -> Sequence[Place]:
        """Where there is a chat of that id."""
        with suppress(BadRequest):
            return [place for place in self._places.all() if self.stamp(place, chat_id) is not None]
        return []

    def read(self, place: Place, chat_id: str) -> History:
        """Raises NotFound, and BadRequest for a file that holds no chat."""
        with blaming(_PARAM):
            return read_history(self._existing(place, chat_id))

    def stamp(self, place: Place, chat_id: str) -> int | None:
        """Another number whenever the chat has been written anew; None when there is no such chat."""
        try:
            return os.stat(self._existing(place, chat_id)).st_mtime_ns
        except (NotFound, FileNotFoundError):
            return None

    def save(self, place: Place, chat_id: str, history: History) -> str:
        """Write the whole chat and return its id, which is another one if it was renamed. Raises NotFound for a chat
        that was deleted, BadRequest for one that must not be written."""
        content = history_bytes(history)
        with self._lock:
            chat_id = self._current(place, chat_id)
            self._write(place, chat_id, content)
            return chat_id

    def delete(self, place: Place, chat_id: str) -> RemovedChat:
        """Remove the file. `restore` brings it back, until the program ends or twenty others have been deleted."""
        with self._lock:
            path = self._existing(place, chat_id)
            chat_id = path.name.removesuffix(CHAT)
            file = RemovedFile(read_bytes(path, limit=MAX_CHAT_BYTES), path.stat().st_mtime_ns)
            path.unlink()
            self._fates[place, chat_id] = None
            self._forget(place, chat_id)
            return self._removals.keep(place, chat_id, file)

    def restore(self, removed: RemovedChat) -> str:
        """Undo a deletion; returns the chat's id, a new one if its own is taken. Raises NotFound when it is too late."""
        with self._lock:
            file = self._removals.take(removed)
            if file is None:
                raise NotFound("This chat was deleted too long ago to be restored.", param=_PARAM)
            chat_id = self._restored_id(removed)
            path = self._write(removed.place, chat_id, file.content)
            # Keeps its place in the list, which is sorted by time.
            os.utime(path, ns=(file.changed, file.changed))
            return chat_id

    def rename(self, place: Place, chat_id: str, new_name: str) -> str:
        """Give a chat a name, which becomes its id. Raises BadRequest for a name that is taken or cannot be one."""
        new_name = new_name.strip()
        with self._lock:
            old = self._existing(place, chat_id)
            new = self._writable(place, new_name, param="name")
            old_id = old.name.removesuffix(CHAT)
            # On file systems that ignore case a change of case finds the file itself.
            if new.exists() and not new.samefile(old):
                raise BadRequest(f"There is a chat named {new_name!a} already. Choose another name.", param="name")
            old.rename(new)
            if new_name != old_id:
                self._fates[place, old_id] = new_name
                self._fates.pop((place, new_name), None)
                self._forget(place, old_id)
            if self._state.last(place) == old_id:
                self._state.set_last(place, new_name)
            return new_name

    def copy(self, place: Place, chat_id: str, history: History) -> str:
        """Write a branch of a chat beside it; returns the branch's id, which is a new one even for a chat that is not
        on disk."""
        with self._lock:
            new_id = self._unused(place, chat_id)
            self._write(place, new_id, history_bytes(history))
            return new_id

    def import_file(self, place: Place, file_name: str, content: bytes) -> str:
        """Add a chat out of an uploaded file, under the file's name if that is free; returns its id.

        Whoever made the file is not trusted: what it shows is made anew. Raises BadRequest.
        """
        if len(content) > MAX_CHAT_BYTES:
            raise BadRequest(f"A chat may have {MAX_CHAT_BYTES // 2**20} MiB at most.", param="file")
        with blaming("file"):
            history = history_in(content, "The file")
        return self.add(place, file_name.replace("\\", "/").rpartition("/")[2].removesuffix(CHAT), history)

    def add(self, place: Place, wish: str, history: History) -> str:
        """A chat from elsewhere, under that name if it is free; returns its id. What it shows is made anew."""
        content = history_bytes(made_safe(history))
        with self._lock:
            chat_id = self._unused(place, wish)
            self._write(place, chat_id, content)
            return chat_id

    def holds(self, place: Place, chat_id: str, content: bytes) -> bool:
        """Whether that very file is here already."""
        try:
            return read_bytes(self._existing(place, chat_id), limit=MAX_CHAT_BYTES) == content
        except (BadRequest, NotFound, FileNotFoundError):
            return False

    def paths(self) -> Sequence[tuple[Place, str, str]]:
        """Of all chats: where they belong, their ids and their files."""
        return [(file.place, file.id, file.path) for file in self._places.all_files()]

    def export(self, place: Place, chat_id: str) -> bytes:
        """The chat as the content of a file, in today's format. Raises as `read` does."""
        return history_bytes(self.read(place, chat_id))

    def search(self, words: str, *, place: Place | None = None, limit: int = 50) -> _Hits:
        """Chats, of that place or of all, with every one of the words, or words that begin so; last changed first.

        While the index is made for the first time, what is in it already is searched.
        """
        self._adopt()
        with suppress(sqlite3.DatabaseError):
            return self._found(words, place, limit)
        try:
            # A damaged index is gone now, and this makes a new one.
            return self._found(words, place, limit)
        except sqlite3.Error as error:
            raise NotSupported("Chats cannot be searched: no index can be written to the folder cache.") from error

    def last(self, place: Place) -> str | None:
        """The chat that was open last, or else the one that was changed last."""
        chat_id = self._state.last(place)
        with suppress(BadRequest):
            if chat_id is not None and self.stamp(place, chat_id) is not None:
                return self._current(place, chat_id)
        self._adopt()
        newest = max(self._places.files(place), key=_moment, default=None)
        return newest and newest.id

    def set_last(self, place: Place, chat_id: str) -> None:
        """Incognito chats are not remembered. Raises BadRequest for what is no id."""
        if not chat_id.startswith(INCOGNITO):
            self._writable(place, chat_id)
            self._state.set_last(place, chat_id)

    def close(self) -> None:
        """End what runs in the background."""
        self._indexing.close()

    def _entries(self, place: Place, files: Sequence[ChatFile]) -> _Entries:
        titles = self._indexing.titles(files)
        newest = sorted(files, key=_moment, reverse=True)
        return [ChatEntry(file.id, titles[place, file.id], file.changed / 1e9) for file in newest]

    def _found(self, words: str, place: Place | None, limit: int) -> _Hits:
        if not self._indexing.catch_up(_CATCH_UP_SECONDS):
            self._indexing.start()
        return self._index.search(words, place, limit)

    def _write(self, place: Place, chat_id: str, content: bytes) -> Path:
        path = self._writable(place, chat_id)
        atomic_write(path, content)
        self._fates.pop((place, chat_id), None)
        return path

    def _writable(self, place: Place, chat_id: str, *, param: str = _PARAM) -> Path:
        if chat_id.startswith(INCOGNITO):
            raise BadRequest(f"Chats whose names begin with {INCOGNITO} are never written.", param=param)
        return self._places.folder(place).new(chat_id, CHAT, param=param)

    def _current(self, place: Place, chat_id: str) -> str:
        """The id that the chat has now. Raises NotFound for one that was deleted, BadRequest for what is no id."""
        folder = self._places.folder(place)
        while (place, chat_id) in self._fates and folder.find(chat_id, param=_PARAM) is None:
            fate = self._fates[place, chat_id]
            if fate is None:
                raise NotFound("This chat was deleted. Restore it, or continue in a new chat.", param=_PARAM)
            chat_id = fate
        return chat_id

    def _existing(self, place: Place, chat_id: str) -> Path:
        chat_id = self._current(place, chat_id)
        return self._places.folder(place).find(chat_id, param=_PARAM) or _missing(chat_id)

    def _is_taken(self, place: Place, chat_id: str) -> bool:
        key = (place, chat_id)
        return key in self._issued or key in self._fates or self._writable(place, chat_id).exists()

    def _restored_id(self, removed: RemovedChat) -> str:
        is_free = not self._writable(removed.place, removed.id).exists()
        return removed.id if is_free else self._unused(removed.place, removed.id)

    def _unused(self, place: Place, wish: str) -> str:
        """`wish`, or with _001, _002 … appended when it is taken; a new id where that would mean nothing."""
        names = (f"{wish}_{number:03}" for number in count(1)) if is_named(wish) else ()
        try:
            return next(name for name in chain((wish,), names) if not self._is_taken(place, name))
        except (BadRequest, StopIteration):
            return self.new_id(place)

    def _forget(self, place: Place, chat_id: str) -> None:
        with suppress(sqlite3.Error):
            self._index.remove([(place, chat_id)])

    def _adopt(self) -> None:
        with self._lock:
            move_into_place(self._logs, self._places)


def _moment(file: ChatFile) -> tuple[int, str]:
    """Sorts by the time of the last change."""
    return file.changed, file.id


def _missing(chat_id: str) -> NoReturn:
    raise NotFound(f"There is no chat {chat_id!a}.", param=_PARAM)
