"""Reading and writing of the disk cache beside the thread that computes."""

import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from modules.backends.kv.disk.pieces import FoundPieces, Use
from modules.backends.kv.disk.store import DiskStore, NewPiece

# States that wait to be written, in bytes: beyond, they are not kept.
MAX_WAITING: Final = 2**28
_LOWEST_PRIORITY: Final = 19


class Fetch:
    """States on their way from the disk. `states` are those of `uses`, in order, as far as they could be read."""

    def __init__(self, found: FoundPieces, future: "Future[list[bytes]]") -> None:
        self._found = found
        self._future = future

    @property
    def is_done(self) -> bool:
        return self._future.done()

    def cancel(self) -> None:
        self._future.cancel()

    def states(self) -> list[tuple[Use, bytes]]:
        """To be asked when it is done."""
        if self._future.cancelled() or self._future.exception() is not None:
            return []
        return list(zip(self._found.uses, self._future.result(), strict=False))


class BackgroundStore:
    """`store` with a thread that reads and one, of low priority, that writes."""

    def __init__(self, store: DiskStore) -> None:
        self._store = store
        self._reader = ThreadPoolExecutor(1, "disk-cache-reader")
        self._writer = ThreadPoolExecutor(1, "disk-cache-writer", initializer=_give_way)
        self._lock = threading.Lock()
        self._waiting: dict[str, int] = {}
        self._has_read = threading.Event()

    def find(self, group: bytes, tokens: Sequence[int], *, whole: bool) -> FoundPieces:
        """Of what others wrote since, the next call knows."""
        self._reader.submit(self._store.refresh)
        return self._store.find(group, tokens, whole=whole)

    def peek(self, group: bytes, tokens: Sequence[int], *, whole: bool) -> FoundPieces:
        return self._store.find(group, tokens, whole=whole)

    def is_worth_reading(self, found: FoundPieces, known: int) -> bool:
        return self._store.is_worth_reading(found, known)

    def missing(self, group: bytes, tokens: Sequence[int], *, whole: bool) -> list[NewPiece]:
        return self._store.missing(group, tokens, whole=whole)

    def takes(self, piece: NewPiece) -> bool:
        """Whether `put` would write it: it does not wait already, and there is room."""
        with self._lock:
            return piece.name not in self._waiting and sum(self._waiting.values()) < MAX_WAITING

    def fetch(self, found: FoundPieces) -> Fetch:
        self._has_read.clear()
        return Fetch(found, self._reader.submit(self._read, found))

    def wait(self, seconds: float) -> None:
        """Until something was read, `seconds` at most."""
        self._has_read.wait(seconds)

    def put(self, piece: NewPiece, state: bytearray, seconds: float) -> None:
        with self._lock:
            self._waiting[piece.name] = len(state)
        self._writer.submit(self._write, piece, state, seconds)

    def touch(self, found: FoundPieces) -> None:
        self._writer.submit(self._store.touch, found)

    def flush(self) -> None:
        """Wait until what was put is written."""
        self._writer.submit(lambda: None).result()

    def close(self) -> None:
        """What was put is written before."""
        self._reader.shutdown(cancel_futures=True)
        self._writer.shutdown()

    def _read(self, found: FoundPieces) -> list[bytes]:
        states: list[bytes] = []
        try:
            for use in found.uses:
                state = self._store.read(use)
                if state is None:
                    break
                states.append(state)
            return states
        finally:
            self._has_read.set()
            self._writer.submit(self._store.touch, found)

    def _write(self, piece: NewPiece, state: bytearray, seconds: float) -> None:
        try:
            self._store.write(piece, state, seconds)
        finally:
            with self._lock:
                self._waiting.pop(piece.name, None)


def _give_way() -> None:
    """Linux has a priority for each thread."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
