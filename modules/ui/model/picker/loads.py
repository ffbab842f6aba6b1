"""Loads that the picker has begun: they outlive the browser's tab, and wait for replies."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from modules.errors import ServiceError
from modules.models.pool import ModelPool

_BROKE_DOWN: Final = "It failed unexpectedly; see the log."


@dataclass(frozen=True, slots=True)
class WaitingLoad:
    """What waits for the end of the replies of `replaced`, or of all models."""

    name: str
    replaced: str | None


class PickerLoads:
    """One waits at a time: who chooses another model means that one instead."""

    def __init__(self, models: ModelPool) -> None:
        self._models = models
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiter: asyncio.Task[None] | None = None
        self.waiting: WaitingLoad | None = None
        # The model's name and what went wrong, until something else is begun.
        self.failure: tuple[str, str] | None = None

    def begin(self, waits_as: WaitingLoad, act: Callable[[], Awaitable[Any]]) -> None:
        """Does `act` when the replies have ended."""
        self.give_up()
        self.failure = None
        self._waiter = task = asyncio.create_task(self._run(waits_as, act))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def give_up(self) -> None:
        """What waits is not done."""
        if self.waiting is not None and self._waiter is not None:
            self._waiter.cancel()
        self.waiting = None

    def forget_failure(self) -> None:
        self.failure = None

    async def aclose(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, load: WaitingLoad, act: Callable[[], Awaitable[Any]]) -> None:
        if self._models.uses(load.replaced):
            self.waiting = load
            async with aclosing(self._models.use_counts(load.replaced)) as counts:
                async for uses in counts:
                    if not uses:
                        break
        # Nothing is awaited between the last look and this: whoever gives up before it has given up.
        self.waiting = None
        try:
            await act()
        except ServiceError as error:
            self.failure = (load.name, error.message)
        except Exception:
            self.failure = (load.name, _BROKE_DOWN)
            raise
