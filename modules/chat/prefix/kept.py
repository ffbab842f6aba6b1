"""What is remembered of spellings, in files beside the prefixes that it is needed for."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from modules.backends.kv.disk.cipher import SALT_BYTES, Cipher, Damaged
from modules.backends.kv.disk.folder import prefix_folder
from modules.chat.prefix.forms import Spelling
from modules.chat.prefix.memory import KeptNotes, SpellingNote
from modules.messages import ToolSpec

_NAME_BYTES: Final = 8
# Each reply makes one file; so many are made one.
_MOST_FILES: Final = 64
# Of files, what is read at most: about as much as is remembered.
_MOST_BYTES: Final = 2**25


class _File(msgspec.Struct, array_like=True):
    secret: bytes
    spellings: list[tuple[bytes, Spelling]]
    tools: list[tuple[bytes, ToolSpec]]
    orders: list[tuple[bytes, tuple[bytes, ...]]]


_DECODER: Final = msgspec.msgpack.Decoder(_File)


class KeptSpellings:
    """In the folder of the prefixes, sealed with its key: within its limit, and deleted with it. Files that cannot be
    read or written cost time only. `cache` is the folder for what is computed."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._writer = ThreadPoolExecutor(1, "spellings-writer")
        self._key = b""
        self._written: set[bytes] = set()

    def read(self) -> KeptNotes | None:
        """None where nothing is kept. Blocks."""
        folder = prefix_folder(self._cache)
        if (key := folder.key()) is None:
            return None
        files = self._files(Cipher(key))
        if not files:
            return None
        # A second server that was started before there were any has another secret; what is newest counts.
        secret = files[-1].secret
        notes = tuple(note for file in files if file.secret == secret for note in _notes(file))
        return KeptNotes(secret, notes)

    def keep(self, notes: Sequence[SpellingNote], secret: bytes, limit: int) -> None:
        """Written soon, within `limit` bytes for the whole folder, unless that is emptied before."""
        if (key := prefix_folder(self._cache).key()) is not None:
            self._writer.submit(self._keep, tuple(notes), secret, Cipher(key), limit)

    def close(self) -> None:
        """When all is written."""
        self._writer.shutdown()

    def _keep(self, notes: Sequence[SpellingNote], secret: bytes, cipher: Cipher, limit: int) -> None:
        if cipher.key != self._key:
            # All was deleted meanwhile, or the program has begun.
            self._key = cipher.key
            self._written.clear()
        new = [note for note in notes if note.key not in self._written]
        if not new:
            return
        if self._write(cipher, _packed(secret, new), limit):
            self._written.update(note.key for note in new)
        if len(self._names(cipher)) > _MOST_FILES:
            self._join(cipher, secret, limit)

    def _join(self, cipher: Cipher, secret: bytes, limit: int) -> None:
        """Make one file of all, without what was forgotten."""
        folder = prefix_folder(self._cache)
        names = self._names(cipher)
        notes = [note for file in self._files(cipher) if file.secret == secret for note in _notes(file)]
        for name in names:
            folder.remove(name)
        self._write(cipher, _packed(secret, list({note.key: note for note in notes}.values())), limit)

    def _write(self, cipher: Cipher, data: bytes, limit: int) -> bool:
        name = self._tag(cipher) + os.urandom(_NAME_BYTES).hex()
        sealing = cipher.begin(name)
        sealed = sealing.seal(0, data)
        folder = prefix_folder(self._cache, limit)
        return folder.write(name, SALT_BYTES + len(sealed), (sealing.salt, sealed), key=cipher.key)

    def _files(self, cipher: Cipher) -> list[_File]:
        """The oldest first."""
        found: list[_File] = []
        folder, left = prefix_folder(self._cache), _MOST_BYTES
        for name in reversed(self._names(cipher)):
            with suppress(OSError):
                data = folder.path(name).read_bytes()
                left -= len(data)
                if left < 0:
                    break
                try:
                    opened = cipher.begin(name, data[:SALT_BYTES]).open(0, data[SALT_BYTES:])
                    found.append(_DECODER.decode(opened))
                except (Damaged, msgspec.MsgspecError):
                    folder.discard(name)
        return found[::-1]

    def _names(self, cipher: Cipher) -> list[str]:
        return prefix_folder(self._cache).names(self._tag(cipher))

    def _tag(self, cipher: Cipher) -> str:
        return cipher.name(b"spellings")[:12] + "-"


def _notes(file: _File) -> Iterator[SpellingNote]:
    for group in (file.tools, file.orders, file.spellings):
        for key, value in group:
            yield SpellingNote(key, value)


def _packed(secret: bytes, notes: Sequence[SpellingNote]) -> bytes:
    """Without what cannot be written, such as half a character."""
    file = _File(secret, [], [], [])
    for note in notes:
        try:
            msgspec.msgpack.encode(note.value)
        except (UnicodeEncodeError, OverflowError, TypeError, RecursionError):
            continue
        match note.value:
            case Spelling():
                file.spellings.append((note.key, note.value))
            case ToolSpec():
                file.tools.append((note.key, note.value))
            case order:
                file.orders.append((note.key, order))
    return msgspec.msgpack.encode(file)
