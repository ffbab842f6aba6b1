"""A folder whose files never take more than a number of bytes, whoever writes to it.

Every process that writes holds the lock of the folder meanwhile, so that sums are right and what is left half written by
one that was killed belongs to nobody. Readers need no lock: files appear whole and are never changed.
"""

import io
import os
import struct
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

KEY_BYTES: Final = 32
PIECE: Final = ".kv"
# Below the folder for what is measured and computed.
_FOLDER: Final = "prefixes"
_UNFINISHED: Final = ".part"
_COUNTS: Final = struct.Struct("<5Q")
_PRIVATE_FILE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700
# For another process to write; one that hangs meanwhile costs what would have been written.
_LOCK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """What was ever written to a folder, what gave way to other files, and how many files were not what was written."""

    writes: int = 0
    written_bytes: int = 0
    evictions: int = 0
    evicted_bytes: int = 0
    damaged: int = 0


def prefix_folder(cache: Path, limit: int = 0) -> "CacheFolder":
    """Where model processes keep the prefixes of prompts, in the folder for what is computed. Only who writes needs a
    `limit`."""
    return CacheFolder(cache / _FOLDER, limit)


@dataclass(frozen=True, slots=True)
class _File:
    used: int
    name: str
    size: int


class CacheFolder:
    """`limit` bytes bound all files below `root` together. `now` is the time in nanoseconds."""

    def __init__(self, root: Path, limit: int, now: Callable[[], int] = time.time_ns) -> None:
        self._root = root
        self._limit = limit
        self._now = now

    @property
    def root(self) -> Path:
        return self._root

    def open(self) -> bytes:
        """Make the folder where there is none, and return its key. Raises OSError."""
        self._root.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_FOLDER)
        self._root.chmod(_PRIVATE_FOLDER)
        with self._locked():
            return self.key() or self._new_key()

    def key(self) -> bytes | None:
        """None where there is none, or a damaged one."""
        try:
            key = (self._root / "key").read_bytes()
        except OSError:
            return None
        return key if len(key) == KEY_BYTES else None

    def names(self, prefix: str = "") -> list[str]:
        """Of the files whose names begin with `prefix`, the ones that were used longest ago first."""
        return [file.name for file in self._files() if file.name.startswith(prefix)]

    def path(self, name: str) -> Path:
        return self._root / (name + PIECE)

    def touch(self, names: Iterable[str]) -> None:
        """These were used just now, the last one last."""
        for name in names:
            with suppress(OSError):
                self._stamp(self.path(name))

    def write(self, name: str, size: int, parts: Iterable[bytes], *, key: bytes, keep: Collection[str] = ()) -> bool:
        """A file of `size` bytes, in exchange for those used longest ago.

        False, and nothing is written, when it does not fit without giving up one of `keep`, when the folder has another
        key than the one that `parts` are sealed with, or when the disk is full or cannot be written.
        """
        try:
            with self._locked():
                if self.key() != key:
                    return False
                if self.path(name).exists():
                    return True
                return self._make_room(size, keep) and self._write(name, size, parts)
        except OSError:
            return False

    def remove(self, name: str) -> None:
        with suppress(OSError):
            self.path(name).unlink()

    def discard(self, name: str) -> None:
        """It is damaged."""
        with suppress(OSError):
            self.path(name).unlink()
            with self._locked():
                before = self.counts()
                self._count(replace(before, damaged=before.damaged + 1))

    def clear(self) -> int:
        """Delete all that is kept, the key as well; returns how many bytes that were. Raises OSError."""
        if not self._root.is_dir():
            return 0
        with self._locked():
            size = self.used_bytes()
            (self._root / "key").unlink(missing_ok=True)
            for path in tuple(self._root.iterdir()):
                if path.suffix in {PIECE, _UNFINISHED}:
                    path.unlink(missing_ok=True)
            return size - self.used_bytes()

    def used_bytes(self) -> int:
        return sum(size for _, size in self._sizes())

    def kept_bytes(self) -> int:
        """Of the states alone."""
        return sum(size for entry, size in self._sizes() if entry.name.endswith(PIECE))

    def counts(self) -> CacheCounts:
        try:
            return CacheCounts(*_COUNTS.unpack((self._root / "counts").read_bytes()))
        except (OSError, struct.error):
            return CacheCounts()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Raises OSError when another process does not let go of the folder."""
        try:
            with FileLock(self._root / "lock", timeout=_LOCK_SECONDS, mode=_PRIVATE_FILE):
                self._remove_unfinished()
                yield
        except Timeout as error:
            raise OSError("the cache folder is locked") from error

    def _remove_unfinished(self) -> None:
        """Whoever wrote them has died, since they held the lock."""
        for path in tuple(self._root.glob(f"*{_UNFINISHED}")):
            with suppress(OSError):
                path.unlink()

    def _new_key(self) -> bytes:
        key = os.urandom(KEY_BYTES)
        unfinished = self._root / ("key" + _UNFINISHED)
        with _opened(unfinished) as file:
            file.write(key)
        unfinished.replace(self._root / "key")
        return key

    def _make_room(self, size: int, keep: Collection[str]) -> bool:
        over = self.used_bytes() + size + self._missing_counts() - self._limit
        if over <= 0:
            return True
        victims: list[_File] = []
        for file in self._files():
            if over <= 0:
                break
            if file.name not in keep:
                victims.append(file)
                over -= file.size
        if over > 0:
            return False
        gone = [file for file in victims if self._is_removed(file.name)]
        before = self.counts()
        freed = sum(file.size for file in gone)
        self._count(replace(before, evictions=before.evictions + len(gone), evicted_bytes=before.evicted_bytes + freed))
        return len(gone) == len(victims)

    def _missing_counts(self) -> int:
        """The bytes by which the file of the counts will grow; that of an earlier version is shorter."""
        try:
            return max(0, _COUNTS.size - (self._root / "counts").stat().st_size)
        except OSError:
            return _COUNTS.size

    def _is_removed(self, name: str) -> bool:
        """False where a system keeps files that are being read."""
        try:
            self.path(name).unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def _write(self, name: str, size: int, parts: Iterable[bytes]) -> bool:
        unfinished = self._root / (name + _UNFINISHED)
        try:
            with _opened(unfinished) as file:
                for part in parts:
                    file.write(part)
            assert unfinished.stat().st_size == size, "a file of another size than was made room for"
            # Before it appears, so that it is never taken for the oldest.
            self._stamp(unfinished)
            unfinished.replace(self.path(name))
        except OSError:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            return False
        before = self.counts()
        self._count(replace(before, writes=before.writes + 1, written_bytes=before.written_bytes + size))
        return True

    def _count(self, counts: CacheCounts) -> None:
        """In place: the file never has another size."""
        data = _COUNTS.pack(*astuple(counts))
        with suppress(OSError):
            descriptor = os.open(self._root / "counts", os.O_WRONLY | os.O_CREAT | _BINARY, _PRIVATE_FILE)
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)

    def _stamp(self, path: Path) -> None:
        now = self._now()
        os.utime(path, ns=(now, now))

    def _files(self) -> list[_File]:
        found = []
        for entry, size in self._sizes():
            if entry.name.endswith(PIECE):
                with suppress(OSError):
                    found.append(_File(entry.stat().st_mtime_ns, entry.name.removesuffix(PIECE), size))
        return sorted(found, key=lambda file: file.used)

    def _sizes(self) -> Iterator[tuple["os.DirEntry[str]", int]]:
        try:
            with os.scandir(self._root) as entries:
                for entry in entries:
                    with suppress(OSError):
                        yield entry, entry.stat().st_size
        except FileNotFoundError:
            return


_BINARY: Final = getattr(os, "O_BINARY", 0)


@contextmanager
def _opened(path: Path) -> "Iterator[io.BufferedWriter]":
    """A new file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, _PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        yield file
