"""Where conversations are stored: folders and files, the last one open, and those just deleted."""

import json
import os
import stat
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from modules.errors import BadRequest
from modules.library.folder import Folder
from modules.library.text_files import parse_json, read_text
from modules.paths import UserData, atomic_write, inside

CHAT: Final = ".json"


class Place(NamedTuple):
    """Whose conversations: a character's, in chat and chat-instruct mode alike, or with None those of instruct mode."""

    character: str | None


class ChatFile(NamedTuple):
    """A file of a conversation, which is no link; `changed` is in nanoseconds."""

    place: Place
    id: str
    path: str
    changed: int
    size: int

    @property
    def stamp(self) -> tuple[int, int]:
        return self.changed, self.size


class Places:
    def __init__(self, data: UserData) -> None:
        self._chat = data.chat_logs
        self._instruct = data.instruct_logs

    def folder(self, place: Place) -> Folder:
        """Raises BadRequest for a character whose name cannot be a folder's."""
        if place.character is None:
            return Folder(self._instruct, "chat", (CHAT,))
        return Folder(inside(self._chat, place.character, param="character"), "chat", (CHAT,))

    def files(self, place: Place) -> list[ChatFile]:
        """In no order. Raises BadRequest."""
        return list(_chat_files(place, self.folder(place).path))

    def all_files(self) -> list[ChatFile]:
        return [file for place in self.all() for file in self.files(place)]

    def all(self) -> Iterator[Place]:
        yield Place(None)
        if os.path.isdir(self._chat):
            for name in os.listdir(self._chat):
                place = Place(name)
                try:
                    self.folder(place)
                except BadRequest:
                    continue
                yield place


def _chat_files(place: Place, folder: Path) -> Iterator[ChatFile]:
    try:
        entries = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            if entry.name.endswith(CHAT) and not entry.name.startswith("."):
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        name = entry.name.removesuffix(CHAT)
                        yield ChatFile(place, name, entry.path, status.st_mtime_ns, status.st_size)


_LAST: Final = "last_chats"


class ChatState:
    """Safe to share between threads. What else stands in the file stays; a file that is damaged counts as empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()

    def last(self, place: Place) -> str | None:
        chat_id = _last_chats(self._read()).get(key_of(place))
        return chat_id if isinstance(chat_id, str) else None

    def set_last(self, place: Place, chat_id: str) -> None:
        with self._lock:
            content = self._read()
            chats = _last_chats(content)
            if chats.get(key_of(place)) != chat_id:
                changed = {**content, _LAST: {**chats, key_of(place): chat_id}}
                atomic_write(self._path, json.dumps(changed, indent=2, ensure_ascii=False))

    def _read(self) -> dict[str, object]:
        try:
            content = parse_json(read_text(self._path), self._path.name)
        except (BadRequest, FileNotFoundError):
            return {}
        return content if isinstance(content, dict) else {}


def _last_chats(content: dict[str, object]) -> dict[str, object]:
    chats = content.get(_LAST)
    return chats if isinstance(chats, dict) else {}


def key_of(place: Place) -> str:
    """What a place is called in files."""
    return "instruct" if place.character is None else f"chat_{place.character}"


# Undoing is for a slip that is noticed at once; what was deleted must not stay in memory for long.
_KEPT: Final = 20
_KEPT_BYTES: Final = 2**26


@dataclass(frozen=True, slots=True)
class RemovedChat:
    """A deletion, to be undone with; `number` counts them."""

    place: Place
    id: str
    number: int


@dataclass(frozen=True, slots=True)
class RemovedFile:
    """`changed` is in nanoseconds."""

    content: bytes
    changed: int


class Removals:
    """The last deletions; of large ones fewer, but always the very last. Not safe to share between threads."""

    def __init__(self) -> None:
        self._files: OrderedDict[int, RemovedFile] = OrderedDict()
        self._count = 0

    def keep(self, place: Place, chat_id: str, file: RemovedFile) -> RemovedChat:
        self._count += 1
        self._files[self._count] = file
        while len(self._files) > 1 and (len(self._files) > _KEPT or self._size() > _KEPT_BYTES):
            self._files.popitem(last=False)
        return RemovedChat(place, chat_id, self._count)

    def take(self, removed: RemovedChat) -> RemovedFile | None:
        """None when it is no longer there."""
        return self._files.pop(removed.number, None)

    def _size(self) -> int:
        return sum(len(file.content) for file in self._files.values())
