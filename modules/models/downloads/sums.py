"""Sums of files, as a hub states them, taken while the bytes go by."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from modules.models.downloads.hub import RemoteFile

BLOCK_BYTES: Final = 8 * 2**20


class Sums:
    """SHA-256 of what was fed, and the SHA-1 that Git gives a blob of `size` bytes with that content."""

    def __init__(self, size: int) -> None:
        self.fed = 0
        self._sha256 = hashlib.sha256()
        self._git = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def feed(self, content: bytes) -> None:
        self._sha256.update(content)
        self._git.update(content)
        self.fed += len(content)

    def match(self, file: RemoteFile) -> bool:
        """Whether the fed bytes are the whole `file`, by the best sum that the hub gives."""
        if self.fed != file.size:
            return False
        if file.sha256:
            return self.sha256 == file.sha256
        return file.git_id is None or self._git.hexdigest() == file.git_id


async def sums_of(path: Path, size: int, report: Callable[[int], None]) -> Sums:
    """Of the file at `path`, which is to have `size` bytes; without a file, of nothing. `report` gets the bytes read so
    far, and cancelling takes effect between two blocks. Raises OSError."""
    sums = Sums(size)
    while block := await asyncio.to_thread(_read_block, path, sums.fed):
        await asyncio.to_thread(sums.feed, block)
        report(sums.fed)
    return sums


def _read_block(path: Path, start: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(BLOCK_BYTES)
    except FileNotFoundError:
        return b""
