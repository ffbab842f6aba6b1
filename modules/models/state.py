"""What can be said about the model from outside, and how to hear of each change."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum

from modules.engine.types import ModelCard


class Status(StrEnum):
    """EMPTY: nothing is loaded. READY: requests are answered. FAILED: the last load or the model itself broke down."""

    EMPTY = "empty"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """`progress` of a load goes from 0 to 1; `loaded_at` is in seconds since 1970; `message` is for the user.

    A model that was unloaded for idleness is EMPTY with its `name` and `card`: the next request loads it again.
    """

    status: Status = Status.EMPTY
    name: str | None = None
    card: ModelCard | None = None
    progress: float = 0.0
    message: str | None = None
    loaded_at: int = 0


class StateFeed:
    """Holds the current state and wakes whoever follows it."""

    def __init__(self) -> None:
        self._current = ModelState()
        self._changed = asyncio.Event()

    @property
    def current(self) -> ModelState:
        return self._current

    def publish(self, state: ModelState) -> None:
        self._current = state
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def changes(self) -> AsyncGenerator[ModelState, None]:
        """The current state, then the newest one after each change; never ends by itself."""
        while True:
            changed = self._changed
            yield self._current
            await changed.wait()
