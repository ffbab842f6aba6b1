"""What files hold, parsed once for each version of a file, so that an edit on disk counts from the next reading on."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final, Generic, TypeAlias, TypeVar

_Value = TypeVar("_Value")
_Stamp: TypeAlias = tuple[int, int, int]

_KEPT: Final = 256
# Two writes within one tick of the file system's clock leave the same time; FAT's ticks are the longest.
_LONGEST_TICK_NS: Final = 2_000_000_000


class FileCache(Generic[_Value]):
    """Keeps what `parse` made of the last few files; safe to share between threads. What is kept must be immutable."""

    def __init__(self, parse: Callable[[Path], _Value]) -> None:
        self._parse = parse
        self._entries: dict[Path, tuple[_Stamp, _Value]] = {}
        self._lock = Lock()

    def read(self, path: Path) -> _Value:
        """Raises what `parse` raises, and OSError when there is no such file; failures are not kept."""
        stamp = _stamp(path)
        entry = self._entries.get(path)
        if entry is not None and entry[0] == stamp:
            return entry[1]
        value = self._parse(path)
        if time.time_ns() - stamp[0] > _LONGEST_TICK_NS:
            self._keep(path, stamp, value)
        return value

    def _keep(self, path: Path, stamp: _Stamp, value: _Value) -> None:
        with self._lock:
            self._entries.pop(path, None)
            if len(self._entries) >= _KEPT:
                del self._entries[next(iter(self._entries))]
            self._entries[path] = (stamp, value)


def _stamp(path: Path) -> _Stamp:
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size, status.st_ino
