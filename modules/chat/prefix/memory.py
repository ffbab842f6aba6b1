"""What was seen first, or last, under a key: bounded, forgotten in the order of its last use."""

import hashlib
import secrets
from collections import OrderedDict
from threading import Lock
from typing import Final, Generic, TypeVar

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


class Digests:
    """Keys made of texts; another secret in each process, so that none of them says anything about the text."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def of(self, *parts: str | bytes) -> bytes:
        made = hashlib.blake2b(digest_size=16, key=self._secret)
        for part in parts:
            data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
            made.update(len(data).to_bytes(8, "little"))
            made.update(data)
        return made.digest()
