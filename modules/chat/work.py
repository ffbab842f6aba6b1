"""Who is being answered right now, and how an owner stops what is his without touching anybody else's."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from modules.stopping import StoppableWork


class Work(StoppableWork):
    """One reply under way."""


class WorkRegister:
    """Replies by owner: an API key's, or a browser tab's."""

    def __init__(self) -> None:
        self._running: defaultdict[str, set[Work]] = defaultdict(set)
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def open(self, owner: str) -> Iterator[Work]:
        work = Work()
        self._running[owner].add(work)
        self._idle.clear()
        try:
            yield work
        finally:
            self._running[owner].discard(work)
            if not self._running[owner]:
                del self._running[owner]
            if not self._running:
                self._idle.set()

    async def until_idle(self) -> None:
        """Until no reply is under way, whoever it is for."""
        await self._idle.wait()

    def stop(self, owner: str) -> int:
        """End that owner's replies, each with Done(STOP); returns how many there were."""
        works = tuple(self._running.get(owner, ()))
        for work in works:
            work.stop()
        return len(works)

    def stop_all(self) -> int:
        return sum(self.stop(owner) for owner in tuple(self._running))
