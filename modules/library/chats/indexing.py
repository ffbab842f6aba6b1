"""Keeps the index in step with the conversations' files, on a thread where that takes long."""

import logging
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Final

from modules.errors import BadRequest
from modules.library.chats.file import read_history
from modules.library.chats.history import searched_text, title
from modules.library.chats.index import HistoryIndex, IndexedChat, Key
from modules.library.chats.places import ChatFile, Places

# One transaction for several files costs little more than one for each, and holds the lock briefly.
_BATCH: Final = 16
# Of the time that a batch on the thread takes, until the next one: others of this process run only in between, and
# indexing ten thousand chats must not slow down anything else.
_BREATH: Final = 2.0

_log = logging.getLogger(__name__)


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
        return IndexedChat(file, file.id, "")
    return IndexedChat(file, title(file.id, history), searched_text(history))
