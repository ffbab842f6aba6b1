"""The SQLite index of conversations, and keeping it in step with their files."""

import logging
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Final, TypeAlias

from modules.errors import BadRequest
from modules.library.chats.file import read_history
from modules.library.chats.history import is_named, searched_text, title
from modules.library.chats.places import ChatFile, Place, Places
from modules.library.full_text import MARK_BEGINS, MARK_ENDS, IndexFile, phrases, spaced, storable, unspaced

_log = logging.getLogger(__name__)

Key: TypeAlias = tuple[Place, str]
Stamp: TypeAlias = tuple[int, int]

# Raised when the tables change. An index of another version is made anew from the files.
_VERSION: Final = 2
_SNIPPET_WORDS: Final = 20
_NANOSECONDS: Final = 1e9
# Which chats there are in which nothing can be read.
_UNREADABLE: Final = "Unreadable chat"
_TABLES: Final = (
    "DROP TABLE IF EXISTS chats",
    "DROP TABLE IF EXISTS texts",
    "CREATE TABLE chats (number INTEGER PRIMARY KEY, character TEXT NOT NULL, id TEXT NOT NULL, "
    "changed INTEGER NOT NULL, size INTEGER NOT NULL, title TEXT NOT NULL, UNIQUE (character, id))",
    "CREATE VIRTUAL TABLE texts USING fts5(title, body, tokenize = 'unicode61 remove_diacritics 2')",
)


_SEARCH: Final = """
    SELECT number, character, id, chats.title, changed FROM texts JOIN chats ON number = texts.rowid
    WHERE texts MATCH ? AND (? OR character = ?) ORDER BY changed DESC, id DESC LIMIT ?
"""
_SNIPPET: Final = "SELECT snippet(texts, 1, ?, ?, '…', ?) FROM texts WHERE texts MATCH ? AND rowid = ?"


@dataclass(frozen=True, slots=True)
class IndexedChat:
    """What the index holds of a file; `text` is what the search looks through."""

    file: ChatFile
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class ChatHit:
    """A conversation in which all words were found; `snippet` is plain text around one of them. `pieces` are the same
    text in parts, each with whether it was looked for; `changed` is in seconds since 1970."""

    place: Place
    id: str
    title: str
    snippet: str
    pieces: tuple[tuple[str, bool], ...] = field(default=(), compare=False)
    changed: float = field(default=0.0, compare=False)


class HistoryIndex:
    """An SQLite file. Safe to share between threads; every method may raise sqlite3.Error, after which a damaged file
    is gone, and what it held is missing until it is put in again."""

    def __init__(self, path: Path) -> None:
        self._file = IndexFile(path, _VERSION, _TABLES)

    def stamps(self) -> dict[Key, Stamp]:
        """Which chats are in it, as their files were then."""
        with self._file.connection() as connection:
            rows = connection.execute("SELECT character, id, changed, size FROM chats").fetchall()
        places = {row[0]: _place(row[0]) for row in rows}
        return {(places[character], chat_id): (changed, size) for character, chat_id, changed, size in rows}

    def titles(self, files: Sequence[ChatFile]) -> dict[Key, str]:
        """Of those of the files that are in it as they are now."""
        found = "SELECT title FROM chats WHERE character = ? AND id = ? AND changed = ? AND size = ?"
        titles: dict[Key, str] = {}
        with self._file.connection() as connection:
            for file in files:
                row = connection.execute(found, (*_stored_key((file.place, file.id)), *file.stamp)).fetchone()
                if row is not None:
                    titles[file.place, file.id] = row[0]
        return titles

    def put(self, chats: Iterable[IndexedChat]) -> None:
        """Add chats, in place of those of the same place and id."""
        with self._file.writing() as connection:
            for chat in chats:
                key = _stored_key((chat.file.place, chat.file.id))
                _remove(connection, key)
                chat_title, text = (storable(each) for each in (chat.title, chat.text))
                row = connection.execute(
                    "INSERT INTO chats (character, id, changed, size, title) VALUES (?, ?, ?, ?, ?)",
                    (*key, *chat.file.stamp, chat_title),
                )
                body = (row.lastrowid, spaced(chat_title), spaced(text))
                connection.execute("INSERT INTO texts (rowid, title, body) VALUES (?, ?, ?)", body)

    def remove(self, keys: Iterable[Key]) -> None:
        with self._file.writing() as connection:
            for key in keys:
                _remove(connection, _stored_key(key))

    def search(self, words: str, place: Place | None, limit: int) -> list[ChatHit]:
        """Chats that hold every one of the words, or words that begin so, the last changed first."""
        query = _query(words)
        if not query:
            return []
        given = (query, place is None, _stored_key((place or Place(None), ""))[0], limit)
        with self._file.connection() as connection:
            # One state of the index for the hits and their snippets.
            connection.execute("BEGIN")
            rows = connection.execute(_SEARCH, given).fetchall()
            return [_hit(row[1:], _snippet(connection, row[0], query)) for row in rows]


def _remove(connection: sqlite3.Connection, key: tuple[str, str]) -> None:
    row = connection.execute("SELECT number FROM chats WHERE character = ? AND id = ?", key).fetchone()
    if row is not None:
        connection.execute("DELETE FROM texts WHERE rowid = ?", row)
        connection.execute("DELETE FROM chats WHERE number = ?", row)


def _snippet(connection: sqlite3.Connection, number: int, query: str) -> str:
    """With marks around what was found."""
    asked = (MARK_BEGINS, MARK_ENDS, _SNIPPET_WORDS, query, number)
    (snippet,) = connection.execute(_SNIPPET, asked).fetchone()
    return unspaced(str(snippet))


def _hit(row: tuple[str, str, str, int], marked: str) -> ChatHit:
    character, chat_id, chat_title, changed = row
    before, *found = marked.split(MARK_BEGINS)
    parts = [(before, False)]
    for each in found:
        inside, _, after = each.partition(MARK_ENDS)
        parts += [(inside, True), (after, False)]
    pieces = tuple(part for part in parts if part[0])
    return ChatHit(
        _place(character), chat_id, chat_title, "".join(text for text, _ in pieces), pieces, changed / _NANOSECONDS
    )


def _query(words: str) -> str:
    """The last part of each word may go on."""
    return " ".join(f"{phrase}*" for phrase in phrases(words))


def _stored_key(key: Key) -> tuple[str, str]:
    """No character's name is empty."""
    return key[0].character or "", key[1]


def _place(character: str) -> Place:
    return Place(character or None)


# One transaction for several files costs little more than one for each, and holds the lock briefly.
_BATCH: Final = 16
# Of the time that a batch on the thread takes, until the next one: others of this process run only in between, and
# indexing ten thousand chats must not slow down anything else.
_BREATH: Final = 2.0


class HistoryIndexing:
    """Safe to share between threads. `close` ends the thread; the index is then complete up to some batch."""

    def __init__(self, places: Places, index: HistoryIndex) -> None:
        self._places = places
        self._index = index
        self._working = Lock()
        self._starting = Lock()
        self._closed = Event()
        self._thread: Thread | None = None

    def begin(self) -> None:
        """Bring the index in step on the thread, unless that has been begun before."""
        if self._thread is None:
            self.start()

    def start(self) -> None:
        """Bring the index in step on the thread, unless that is under way."""
        with self._starting:
            is_running = self._thread is not None and self._thread.is_alive()
            if not is_running and not self._closed.is_set():
                self._thread = Thread(target=self._run, name="chat index", daemon=True)
                self._thread.start()

    def catch_up(self, seconds: float) -> bool:
        """Bring the index in step here, for so long at most; whether it now is. Raises sqlite3.Error."""
        deadline = time.monotonic() + seconds
        if not self._working.acquire(timeout=seconds):
            return False
        try:
            return self._catch_up(deadline, breath=0)
        finally:
            self._working.release()

    def titles(self, files: Sequence[ChatFile]) -> dict[Key, str]:
        """Of all of the files; those that are not in the index as they are now are put in."""
        try:
            known = self._index.titles(files)
            missing = [_indexed(file) for file in files if (file.place, file.id) not in known]
            self._index.put(missing)
        except sqlite3.Error:
            _log.warning("The index of chats in the cache folder cannot be used; titles are read from the files.")
            known, missing = {}, [_indexed(file) for file in files]
        return known | {(chat.file.place, chat.file.id): chat.title for chat in missing}

    def wait(self) -> None:
        """Until the thread has done its work, if there is one."""
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        self._closed.set()
        with self._starting:
            self.wait()

    def _run(self) -> None:
        try:
            with self._working:
                self._catch_up(float("inf"), breath=_BREATH)
        except (sqlite3.Error, OSError) as error:
            _log.warning("The index of chats could not be brought up to date: %s", type(error).__name__)

    def _catch_up(self, deadline: float, *, breath: float) -> bool:
        files = {(file.place, file.id): file for file in self._places.all_files()}
        stamps = self._index.stamps()
        self._index.remove(stamps.keys() - files.keys())
        stale = [file for key, file in files.items() if stamps.get(key) != file.stamp]
        stale.sort(key=lambda file: file.changed, reverse=True)
        for start in range(0, len(stale), _BATCH):
            began = time.monotonic()
            if began > deadline:
                return False
            self._index.put([_indexed(file) for file in stale[start : start + _BATCH]])
            if breath and self._closed.wait(breath * (time.monotonic() - began)):
                return False
        return True


def _indexed(file: ChatFile) -> IndexedChat:
    """A file that is no chat is in the index too, under its name alone, so that it is not read time and again."""
    try:
        history = read_history(Path(file.path))
    except (BadRequest, OSError):
        return IndexedChat(file, file.id if is_named(file.id) else _UNREADABLE, "")
    return IndexedChat(file, title(file.id, history), searched_text(history))
