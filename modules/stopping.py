"""Work that can be ended from outside while it waits for the next item of a stream."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

_Item = TypeVar("_Item")


class StoppableWork:
    """Ends within the step that it is in; `stop` does nothing the second time."""

    def __init__(self) -> None:
        self._is_stopped = False
        self._waiting: asyncio.Timeout | None = None

    @property
    def is_stopped(self) -> bool:
        return self._is_stopped

    def stop(self) -> None:
        """What was done so far is kept."""
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
