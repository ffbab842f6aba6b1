"""The drawings under way and those that wait: how far they are, and how they are stopped."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from modules.errors import Busy
from modules.stopping import StoppableWork

_RETRY_SECONDS: Final = 10


class ImageJob(StoppableWork):
    """One request for pictures. `step` of `steps` of the picture number `index` of `count` are done, 0 of 0 while it waits."""

    def __init__(self, owner: str, count: int) -> None:
        super().__init__()
        self.owner = owner
        self.count = count
        self.index = self.step = self.steps = 0
        self.preview: bytes | None = None
        self.began = time.monotonic()
        self.is_drawing = False

    @property
    def share(self) -> float:
        """Of all its steps, from 0 to 1."""
        done = self.index + (self.step / self.steps if self.steps else 0)
        return min(1.0, done / self.count)


class ImageJobs:
    """In the order in which they came. One draws, and up to `most_waiting` wait."""

    def __init__(self, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._jobs: list[ImageJob] = []
        self._turn = asyncio.Lock()

    def __iter__(self) -> Iterator[ImageJob]:
        return iter(tuple(self._jobs))

    def of(self, owner: str) -> tuple[ImageJob, ...]:
        return tuple(job for job in self._jobs if job.owner == owner)

    def stop(self, owner: str) -> int:
        """End that owner's drawings; returns how many there were."""
        found = self.of(owner)
        for job in found:
            job.stop()
        return len(found)

    @contextmanager
    def opened(self, owner: str, count: int) -> Iterator[ImageJob]:
        """Raises Busy when too many wait."""
        if len(self._jobs) > self._most_waiting:
            raise Busy(
                f"{len(self._jobs)} requests for pictures are under way already. Try again later.",
                retry_after=_RETRY_SECONDS,
            )
        job = ImageJob(owner, count)
        self._jobs.append(job)
        try:
            yield job
        finally:
            self._jobs.remove(job)

    @property
    def turn(self) -> asyncio.Lock:
        """Held by the one that draws."""
        return self._turn
