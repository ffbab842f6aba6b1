"""The states of sequences in files: what is kept for one model, found by tokens, read and written."""

import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import msgspec

from modules.backends.kv.disk.cipher import SALT_BYTES, TAG_BYTES, Cipher, Damaged, FileCipher, parts_of
from modules.backends.kv.disk.folder import CacheFolder
from modules.backends.kv.disk.pieces import TOKEN_BYTES, FoundPieces, PieceHead, PieceTree, Use, packed, spans

# Tokens of one piece: what two prompts differ in costs at most that much twice.
PIECE_TOKENS: Final = 256
_MAGIC: Final = b"KVC1"
_HEAD_SIZE: Final = struct.Struct("<I")
_MAX_HEAD: Final = 2**26
_DECODER: Final = msgspec.msgpack.Decoder(PieceHead)
# Before anything was read: less than any disk of today gives, so that the first reading is worth what it seems.
_FIRST_BYTES_PER_SECOND: Final = 200e6
_WEIGHT: Final = 0.3
# Finding and opening a file, whatever its size.
_OPENING_SECONDS: Final = 2e-4


@dataclass(frozen=True, slots=True)
class NewPiece:
    """A piece that is not kept yet: the state of `start` to `end` of a sequence; `parents` are the pieces before it. `key`
    is what the folder had when it was asked for: nothing of before a deletion is written after it."""

    name: str
    parent: str
    start: int
    end: int
    tokens: bytes
    parents: tuple[str, ...]
    key: bytes = field(repr=False)
    is_whole: bool = False


class DiskStore:
    """What `folder` keeps for the model that `model` identifies. Safe to call from several threads.

    Whatever is wrong with a file or a disk, nothing is raised after `open`: what cannot be read is not kept.
    """

    def __init__(self, folder: CacheFolder, model: bytes, *, piece_tokens: int = PIECE_TOKENS) -> None:
        self._folder = folder
        self._model = model
        self._piece_tokens = piece_tokens
        self._cipher = Cipher(folder.open())
        self._lock = threading.Lock()
        self._tree = PieceTree()
        self._seen = -1
        self._bytes_per_second = _FIRST_BYTES_PER_SECOND
        self.refresh()

    @property
    def bytes_per_second(self) -> float:
        """How fast states were read and decrypted lately."""
        return self._bytes_per_second

    def root(self, group: bytes) -> str:
        """What the first pieces of a group of adapters go on from."""
        return self._cipher.name(b"root", self._model, group)

    def refresh(self) -> None:
        """Learn of what others wrote and deleted. Reads the heads of files that are new. Where all was deleted, a new key
        is made."""
        try:
            changed = self._folder.root.stat().st_mtime_ns
        except OSError:
            changed = 0
        if changed == self._seen:
            return
        self._seen = changed
        with suppress(OSError):
            if (key := self._folder.key() or self._folder.open()) != self._cipher.key:
                self._cipher = Cipher(key)
        names = self._folder.names(self._tag)
        with self._lock:
            self._tree.keep_only(set(names))
            new = [name for name in names if name not in self._tree]
        for name in new:
            if (head := self._read_head(name)) is not None:
                with self._lock:
                    self._tree.add(name, head)

    def find(self, group: bytes, tokens: Sequence[int], *, whole: bool = False) -> FoundPieces:
        with self._lock:
            find = self._tree.find_whole if whole else self._tree.find
            return find(self.root(group), packed(tokens))

    def missing(self, group: bytes, tokens: Sequence[int], *, whole: bool = False) -> list[NewPiece]:
        """The pieces to write so that all of `tokens` are kept, in order."""
        cipher = self._cipher
        root, data = self.root(group), packed(tokens)
        if whole:
            name = self._name(root, data, whole=True)
            with self._lock:
                is_known = name in self._tree
            return [] if is_known else [NewPiece(name, root, 0, len(tokens), data, (), cipher.key, is_whole=True)]
        with self._lock:
            found = self._tree.find(root, data)
        # What goes on from the middle of a piece has to say that middle again.
        complete = [use for use in found.uses if use.end == use.head.end]
        parents = tuple(use.name for use in complete)
        pieces: list[NewPiece] = []
        for start, end in spans(complete[-1].end if complete else 0, len(tokens), self._piece_tokens):
            parent = parents[-1] if parents else root
            part = data[start * TOKEN_BYTES : end * TOKEN_BYTES]
            name = self._name(parent, part, whole=False)
            pieces.append(NewPiece(name, parent, start, end, part, parents, cipher.key))
            parents = (*parents, pieces[-1].name)
        return pieces

    def is_worth_reading(self, found: FoundPieces, known: int) -> bool:
        """Whether reading it is quicker than computing it where the first `known` tokens are at hand."""
        rest = found.after(known)
        return rest.size / self._bytes_per_second + _OPENING_SECONDS * len(rest.uses) < found.seconds(known)

    def touch(self, found: FoundPieces) -> None:
        """It was used: the beginning counts as used last, since nothing is of use without it."""
        self._folder.touch(use.name for use in reversed(found.uses))

    def write(self, piece: NewPiece, state: bytes | bytearray, seconds: float) -> bool:
        """False when it could not be kept."""
        head = PieceHead(piece.parent, piece.start, piece.tokens, piece.is_whole, len(state), seconds)
        cipher = self._cipher
        if piece.key != cipher.key:
            return False
        sealing = cipher.begin(piece.name)
        sealed = sealing.seal(0, msgspec.msgpack.encode(head))
        size = len(_MAGIC) + SALT_BYTES + _HEAD_SIZE.size + len(sealed) + _sealed_size(len(state))
        parts = _parts(sealing, sealed, state)
        # A piece without those before it could never be found.
        if not self._folder.write(piece.name, size, parts, key=cipher.key, keep=piece.parents):
            return False
        self._folder.touch(reversed(piece.parents))
        with self._lock:
            self._tree.add(piece.name, head)
        return True

    def read(self, use: Use) -> bytes | None:
        """The state that is kept; None, and it is forgotten, when it is no longer what was written."""
        started = time.perf_counter()
        state = self._read_state(use)
        if state is None:
            with self._lock:
                self._tree.remove(use.name)
            return None
        seconds = max(time.perf_counter() - started, 1e-6)
        self._bytes_per_second += _WEIGHT * (len(state) / seconds - self._bytes_per_second)
        return state

    @property
    def _tag(self) -> str:
        return self._cipher.name(b"model", self._model)[:12] + "-"

    def _name(self, parent: str, tokens: bytes, *, whole: bool) -> str:
        return self._tag + self._cipher.name(parent.encode(), tokens, b"whole" if whole else b"")

    def _read_head(self, name: str) -> PieceHead | None:
        try:
            with self._folder.path(name).open("rb") as file:
                _, head = self._opened(name, file.read(len(_MAGIC) + SALT_BYTES + _HEAD_SIZE.size), file.read)
                return head
        except (OSError, Damaged):
            self._discard(name)
            return None

    def _read_state(self, use: Use) -> bytes | None:
        try:
            with self._folder.path(use.name).open("rb") as file:
                opening, head = self._opened(use.name, file.read(len(_MAGIC) + SALT_BYTES + _HEAD_SIZE.size), file.read)
                if head != use.head:
                    raise Damaged
                parts = [
                    opening.open(number, file.read(end - start + TAG_BYTES))
                    for number, start, end in parts_of(head.size)
                ]
                return b"".join(parts)
        except FileNotFoundError:
            return None
        except (OSError, Damaged):
            self._discard(use.name)
            return None

    def _opened(self, name: str, beginning: bytes, read: Callable[[int], bytes]) -> tuple[FileCipher, PieceHead]:
        """Raises Damaged."""
        fixed = len(_MAGIC) + SALT_BYTES
        if len(beginning) != fixed + _HEAD_SIZE.size or not beginning.startswith(_MAGIC):
            raise Damaged
        (size,) = _HEAD_SIZE.unpack(beginning[fixed:])
        if size > _MAX_HEAD:
            raise Damaged
        opening = self._cipher.begin(name, beginning[len(_MAGIC) : fixed])
        try:
            return opening, _DECODER.decode(opening.open(0, read(size)))
        except msgspec.MsgspecError:
            raise Damaged from None

    def _discard(self, name: str) -> None:
        """It is of no use to anybody with this key, unless it was written with another since."""
        if self._folder.key() == self._cipher.key:
            self._folder.discard(name)


def _sealed_size(size: int) -> int:
    return size + TAG_BYTES * sum(1 for _ in parts_of(size))


def _parts(sealing: FileCipher, head: bytes, state: bytes | bytearray) -> Iterator[bytes]:
    yield _MAGIC + sealing.salt + _HEAD_SIZE.pack(len(head)) + head
    view = memoryview(state)
    for number, start, end in parts_of(len(state)):
        yield sealing.seal(number, view[start:end])
