"""What was seen first, or last, under a key: bounded, forgotten in the order of its last use."""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final, Generic, Protocol, TypeVar

from modules.chat.prefix.forms import Spelling
from modules.messages import ToolSpec

_Value = TypeVar("_Value")

# What an entry takes beside the characters of its value.
_OVERHEAD: Final = 200


class SpellingMemory(Generic[_Value]):
    """At most `most` characters, as far as callers tell the sizes of values truly. For any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._entries: OrderedDict[bytes, tuple[_Value, int]] = OrderedDict()
        self._lock = Lock()

    @property
    def size(self) -> int:
        return self._size

    def get(self, key: bytes) -> _Value | None:
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                return None
            self._entries.move_to_end(key)
            return found[0]

    def put(self, key: bytes, value: _Value, size: int) -> None:
        """What is too large is not kept."""
        with self._lock:
            known = self._entries.pop(key, None)
            self._size -= known[1] if known else 0
            size += _OVERHEAD
            if size > self._most // 8:
                return
            self._entries[key] = value, size
            self._size += size
            while self._size > self._most:
                _, (_, freed) = self._entries.popitem(last=False)
                self._size -= freed


@dataclass(frozen=True, slots=True)
class SpellingNote:
    """How a turn was spelled, a tool was first offered, or in which order tools were."""

    key: bytes
    value: Spelling | ToolSpec | tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class KeptNotes:
    """Those that were kept last come last; `secret` is what their keys are made with."""

    secret: bytes
    notes: tuple[SpellingNote, ...]


class NoteFiles(Protocol):
    """Where notes outlive the process."""

    def read(self) -> KeptNotes | None:
        """None where nothing is kept. Blocks."""
        ...

    def keep(self, notes: Sequence[SpellingNote], secret: bytes, limit: int) -> None:
        """Written soon, within `limit` bytes for all that is kept, unless that is deleted before."""
        ...


class Digests:
    """Keys made of texts and a secret, so that none of them says anything about the text. The secret is another one in
    each process, but for what is kept on disk."""

    def __init__(self, secret: bytes | None = None) -> None:
        self.secret = secret or secrets.token_bytes(32)

    def of(self, *parts: str | bytes) -> bytes:
        made = hashlib.blake2b(digest_size=16, key=self.secret)
        for part in parts:
            data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
            made.update(len(data).to_bytes(8, "little"))
            made.update(data)
        return made.digest()
