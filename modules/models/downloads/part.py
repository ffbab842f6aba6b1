"""A file that is being fetched: its bytes so far on disk, and their sums."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from modules.models.downloads.hub import RemoteFile
from modules.models.downloads.sums import Sums, sums_of


class PartialFile:
    """Grows at its end only. Every method raises OSError when the disk fails."""

    def __init__(self, path: Path, file: RemoteFile) -> None:
        self.path = path
        self.file = file
        self._sums = Sums(file.size)

    @property
    def fed(self) -> int:
        """How many bytes are there."""
        return self._sums.fed

    @property
    def sha256(self) -> str:
        return self._sums.sha256

    @property
    def is_whole(self) -> bool:
        return self._sums.match(self.file)

    async def take_up(self, report: Callable[[int], None]) -> None:
        """Read what an earlier attempt left; more than the file can have is thrown away."""
        await asyncio.to_thread(self._prepare)
        self._sums = await sums_of(self.path, self.file.size, report)

    def discard(self) -> None:
        self._sums = Sums(self.file.size)
        self.path.unlink(missing_ok=True)

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """To be written to with `append`."""
        with self.path.open("r+b") as handle:
            handle.seek(self.fed)
            yield handle
            handle.flush()
            os.fsync(handle.fileno())

    async def append(self, handle: BinaryIO, content: bytes) -> None:
        """A cancellation waits for the write, so that nothing writes to a closed file."""
        task = asyncio.ensure_future(asyncio.to_thread(self._append, handle, content))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    def _prepare(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and self.path.stat().st_size > self.file.size:
            self.path.unlink()
        self.path.touch()

    def _append(self, handle: BinaryIO, content: bytes) -> None:
        handle.write(content)
        self._sums.feed(content)
