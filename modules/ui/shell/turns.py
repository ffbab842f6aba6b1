"""The order in which handlers of one browser tab begin."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any


class InOrder:
    """The value of a State whose events have their handlers begun in the order in which they arrived. Handlers that yield
    have to do so at once: the next one begins then."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.states: Any = None

    def now(self, component: Any, read: object) -> object:  # noqa: ANN401 - Gradio has no types
        """What a State of the same tab holds by now. `read` is what it held when the event was prepared."""
        return read if self.states is None else self.states[component._id]

    def __deepcopy__(self, memo: dict[int, Any]) -> "InOrder":
        """Gradio copies a State's first value for each tab."""
        return type(self)()


class Turns:
    """Gradio prepares each input of an event in a thread, and makes generators in one: of two events, the later may be
    ready first."""

    def __init__(self) -> None:
        self._held: ContextVar[asyncio.Lock | None] = ContextVar("held", default=None)

    @asynccontextmanager
    async def preparing(self, block_fn: Any, state: Any) -> AsyncIterator[None]:  # noqa: ANN401 - Gradio has no types
        """Waits for the turn of the event. It ends with the block, or with the first step of a handler that yields."""
        ordered = _ordered(block_fn, state)
        if ordered is None:
            yield
            return
        turn = ordered.turn
        await turn.acquire()
        ordered.states = state
        try:
            yield
        except BaseException:
            turn.release()
            raise
        if inspect.isasyncgenfunction(block_fn.fn):
            self._held.set(turn)
        else:
            # Who waits comes when this task waits for something, and so after the beginning of its handler.
            turn.release()

    @contextmanager
    def starting(self) -> Iterator[None]:
        turn = self._held.get()
        self._held.set(None)
        try:
            yield
        finally:
            if turn is not None:
                turn.release()


def _ordered(block_fn: Any, state: Any) -> InOrder | None:  # noqa: ANN401 - Gradio has no types
    if state is None:
        return None
    kept = (state[each._id] for each in block_fn.inputs if each.stateful)
    return next((value for value in kept if isinstance(value, InOrder)), None)
