"""Who is being answered right now, and how an owner stops what is his without touching anybody else's."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import TypeVar

_Item = TypeVar("_Item")


class Work:
    """One reply under way."""

    def __init__(self) -> None:
        self._is_stopped = False
        self._waiting: asyncio.Timeout | None = None

    @property
    def is_stopped(self) -> bool:
        return self._is_stopped

    def stop(self) -> None:
        """End the reply after what it has said; does nothing the second time."""
        if self._is_stopped:
            return
        self._is_stopped = True
        if self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def until_stopped(self, stream: AsyncGenerator[_Item, None]) -> AsyncGenerator[_Item, None]:
        """The items of `stream`, to its end or until `stop`; then `stream` is closed, which cancels its job."""
        async with aclosing(stream):
            while not self._is_stopped:
                try:
                    item = await self._next(stream)
                except StopAsyncIteration:
                    return
                yield item

    async def _next(self, stream: AsyncGenerator[_Item, None]) -> _Item:
        # A timeout without a time costs no task and no timer; `stop` sets its time to now.
        try:
            async with asyncio.timeout(None) as self._waiting:
                return await anext(stream)
        except TimeoutError:
            if not self._is_stopped:
                raise
            raise StopAsyncIteration from None
        finally:
            self._waiting = None


class WorkRegister:
    """Replies by owner: an API key's, or a browser tab's."""

    def __init__(self) -> None:
        self._running: defaultdict[str, set[Work]] = defaultdict(set)

    @contextmanager
    def open(self, owner: str) -> Iterator[Work]:
        work = Work()
        self._running[owner].add(work)
        try:
            yield work
        finally:
            self._running[owner].discard(work)
            if not self._running[owner]:
                del self._running[owner]

    def stop(self, owner: str) -> int:
        """End that owner's replies, each with Done(STOP); returns how many there were."""
        works = tuple(self._running.get(owner, ()))
        for work in works:
            work.stop()
        return len(works)

    def stop_all(self) -> int:
        return sum(self.stop(owner) for owner in tuple(self._running))
