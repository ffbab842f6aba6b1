"""Downloads one file, over as many attempts as it takes, until its checksum is right."""

import asyncio
import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import httpx2

from modules.models.downloads.hub import HubFailed, RedirectRefused, RemoteFile
from modules.models.downloads.progress import Tally

# Each block is read and hashed on a thread; smaller ones would spend their time on changing threads.
BLOCK_BYTES: Final = 8 * 2**20


class Sums:
    """SHA-256 of what was fed, and the SHA-1 that Git gives a blob of `size` bytes with that content."""

    def __init__(self, size: int) -> None:
        self.fed = 0
        self._sha256 = hashlib.sha256()
        # Small files are not in LFS, and Git's blob id is the only checksum that the hub states for them.
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
            # What is reported as kept must survive a crash.
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


# Doubling gives a server that is overloaded time to recover; a minute in all outlasts a router's restart.
WAITS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
# Chunks of the network are 16 to 64 KiB; each write goes to a thread, which costs as much as the write.
_WRITE_BYTES: Final = 2**20
# On a slow line too, an interruption then loses a fraction of a second.
_WRITE_SECONDS: Final = 0.2
# A server may ask for hours with Retry-After; a person who waits wants to be told.
_LONGEST_WAIT: Final = 120.0
_LOST: Final = "the connection was lost"


class _Interrupted(Exception):
    """This attempt came to nothing, another may not; `wait` is in seconds, if the server said how long."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


@dataclass(frozen=True, slots=True)
class FileTransfer:
    """From `url` into `part`. After an attempt that got nowhere the next of `waits`, in seconds, passes; an attempt that
    got somewhere starts them anew."""

    client: httpx2.AsyncClient
    url: str
    part: PartialFile
    tally: Tally
    waits: Sequence[float] = WAITS

    @property
    def _name(self) -> str:
        return self.part.file.name

    async def run(self) -> None:
        """Until `part` is whole. Raises HubFailed, leaving what was fetched."""
        self.tally.begin(self._name, is_check=True)
        try:
            await self.part.take_up(self._report)
            self.tally.begin(self._name)
            await self._gather()
            if not self.part.is_whole:
                self.part.discard()
                await self.part.take_up(self._report)
                await self._gather()
        except OSError as error:
            raise disk_failure(error) from error
        if not self.part.is_whole:
            self.part.discard()
            raise HubFailed(f"{self._name} was damaged twice: its checksum is not the one that the hub states.")

    async def _gather(self) -> None:
        failures = 0
        while self.part.fed < self.part.file.size:
            before = self.part.fed
            try:
                await self._attempt()
            except _Interrupted as interruption:
                # An attempt that brought something counts as success: a bad line makes progress in many short attempts.
                failures = 0 if self.part.fed > before else failures + 1
                await self._wait(interruption, failures)

    async def _attempt(self) -> None:
        # Ranges and sizes are of the file itself, not of a compressed form.
        headers = {"Accept-Encoding": "identity"}
        if self.part.fed:
            headers["Range"] = f"bytes={self.part.fed}-"
        try:
            async with self.client.stream("GET", self.url, headers=headers) as response:
                self._check(response)
                await self._receive(response)
        except httpx2.TooManyRedirects as error:
            raise HubFailed("The hub redirected the download too many times.") from error
        except httpx2.HTTPError as error:
            raise _Interrupted(_LOST) from error
        except RedirectRefused as error:
            raise HubFailed(str(error)) from error

    async def _receive(self, response: httpx2.Response) -> None:
        self._report(self.part.fed)
        with self.part.opened() as handle:
            gathered = bytearray()
            written = 0.0
            try:
                async with aclosing(response.aiter_raw()) as chunks:
                    async for chunk in chunks:
                        gathered += chunk
                        if len(gathered) >= _WRITE_BYTES or time.monotonic() - written > _WRITE_SECONDS:
                            await self._append(handle, gathered)
                            written = time.monotonic()
            finally:
                await self._append(handle, gathered)
        if self.part.fed < self.part.file.size:
            raise _Interrupted(_LOST)

    async def _append(self, handle: BinaryIO, gathered: bytearray) -> None:
        content = bytes(gathered)
        gathered.clear()
        if self.part.fed + len(content) > self.part.file.size:
            raise HubFailed(f"{self._name} is longer than the hub states.")
        if content:
            await self.part.append(handle, content)
            self.tally.report(self._name, self.part.fed, len(content))

    def _check(self, response: httpx2.Response) -> None:
        """That the body goes on where the partial file ends; if it is the whole file, that one begins anew."""
        match response.status_code:
            case 206 if response.headers.get("Content-Range", "").startswith(f"bytes {self.part.fed}-"):
                return
            case 200 | 206 | 416:
                self.part.discard()
                self.part.path.touch()
                if response.status_code != 200:
                    raise _Interrupted("the hub sent another part of the file")
            case 401 | 403:
                raise HubFailed(
                    f"Access to {self._name} is restricted. Accept the model's terms on its page, and "
                    "set HF_TOKEN to a token of that account."
                )
            case 408 | 425 | 429 | 500 | 502 | 503 | 504 as status:
                raise _Interrupted(f"the hub answered with status {status}", _retry_after(response))
            case status:
                raise HubFailed(f"The hub answered with status {status} to the request for {self._name}.")

    def _report(self, size: int) -> None:
        self.tally.report(self._name, size)

    async def _wait(self, interruption: _Interrupted, failures: int) -> None:
        if failures > len(self.waits):
            raise HubFailed(
                f"{self._name} could not be fetched: {interruption.reason}. What was downloaded is kept; start the "
                "download again to resume it."
            ) from interruption
        wait = self.waits[max(0, failures - 1)] if self.waits else 0.0
        if interruption.wait is not None:
            wait = min(interruption.wait, _LONGEST_WAIT)
        self.tally.wait(self._name, f"{interruption.reason}; next attempt in {wait:.0f} s")
        await asyncio.sleep(wait)


def disk_failure(error: OSError) -> HubFailed:
    if error.errno == errno.ENOSPC:
        return HubFailed("The disk is full. Free some space, and start the download again to resume it.")
    return HubFailed(f"A file of the model could not be written: {error.strerror}.")


def _retry_after(response: httpx2.Response) -> float | None:
    stated = response.headers.get("Retry-After", "")
    return float(stated) if stated.isdecimal() else None
