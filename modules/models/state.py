"""What can be said about the model from outside, and how to hear of each change."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum

from modules.engine.types import ModelCard, ModelKind


class Status(StrEnum):
    """EMPTY: nothing is loaded. READY: requests are answered. FAILED: the last load or the model itself broke down."""

    EMPTY = "empty"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """`progress` of a load goes from 0 to 1; `loaded_at` is in seconds since 1970; `message` is for the user.

    A model that sleeps, because it was idle or had to make room, is EMPTY with its `name` and `card`: the next request
    for it loads it again. `memory` is in bytes, as measured last, with what the model
    is known to take once it is used.
    """

    status: Status = Status.EMPTY
    name: str | None = None
    card: ModelCard | None = None
    progress: float = 0.0
    message: str | None = None
    loaded_at: int = 0
    kind: ModelKind = ModelKind.CHAT
    memory: int = 0


class StateFeed:
    """Holds the state of each model and the latest change, and wakes its followers."""

    def __init__(self) -> None:
        self._current = self._latest = ModelState()
        self._states: dict[str, ModelState] = {}
        self._changed = asyncio.Event()

    @property
    def current(self) -> ModelState:
        """What was published last about a chat model."""
        return self._current

    @property
    def states(self) -> tuple[ModelState, ...]:
        return tuple(self._states.values())

    def of(self, name: str) -> ModelState | None:
        return self._states.get(name)

    def publish(self, state: ModelState) -> None:
        self._latest = state
        if state.kind is ModelKind.CHAT:
            self._current = state
        self.note(state)

    def note(self, state: ModelState) -> None:
        """A change that is not what everybody waits for, such as a model that makes room for another."""
        if state.name is not None:
            self._states[state.name] = state
        self._wake()

    def forget(self, name: str) -> None:
        self._states.pop(name, None)
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def changes(self) -> AsyncGenerator[ModelState, None]:
        """The current state, then the newest one after each change; never ends by itself."""
        while True:
            changed = self._changed
            yield self._latest
            await changed.wait()
