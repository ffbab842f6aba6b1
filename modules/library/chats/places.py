"""Where conversations lie: one folder for instruct mode, one for each character, a file for each conversation."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from modules.errors import BadRequest
from modules.library.folder import Folder
from modules.paths import UserData, inside

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
        return [file for place in self._places() for file in self.files(place)]

    def _places(self) -> Iterator[Place]:
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
