"""Conversations that were deleted a moment ago, held in memory so that deleting can be undone."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from modules.library.chats.places import Place

_KEPT: Final = 20
_KEPT_BYTES: Final = 2**26


@dataclass(frozen=True, slots=True)
class Removed:
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

    def keep(self, place: Place, chat_id: str, file: RemovedFile) -> Removed:
        self._count += 1
        self._files[self._count] = file
        while len(self._files) > 1 and (len(self._files) > _KEPT or self._size() > _KEPT_BYTES):
            self._files.popitem(last=False)
        return Removed(place, chat_id, self._count)

    def take(self, removed: Removed) -> RemovedFile | None:
        """None when it is no longer there."""
        return self._files.pop(removed.number, None)

    def _size(self) -> int:
        return sum(len(file.content) for file in self._files.values())
