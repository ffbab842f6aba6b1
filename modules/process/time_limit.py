"""A limit of time that counts only while this program runs."""

import asyncio
from collections.abc import Callable
from typing import Final

from modules.process.failures import TimeLimitExceeded

# A suspended machine adds one step at most to the time that counts.
_STEPS: Final = 20
_LONGEST_STEP: Final = 1.0
# How much longer work may take that gets no processor.
_PATIENCE: Final = 10


class TimeLimit:
    """`seconds` of waiting, in one wait or in many; None is no limit. A stop of the whole program, or a machine's sleep, of any length, counts
    as one of at least twenty steps. With `worked`, the processor time of what is waited for, that counts in place of the
    clock's: on a busy machine up to ten times as long is waited."""

    def __init__(self, seconds: float | None, worked: Callable[[], float] | None = None) -> None:
        self._seconds = seconds
        self._left = seconds or 0.0
        self._worked = worked
        self._seen = 0.0 if worked is None else worked()

    async def wait(self, future: "asyncio.Future[None]") -> None:
        """Until `future` is done, whatever its outcome. Raises TimeLimitExceeded."""
        loop = asyncio.get_running_loop()
        step = None if self._seconds is None else min(_LONGEST_STEP, self._seconds / _STEPS)
        while not future.done():
            if step is not None and self._left <= 0:
                raise TimeLimitExceeded(f"it took longer than {self._seconds:g} seconds")
            started = loop.time()
            await asyncio.wait([future], timeout=step)
            if step is not None:
                self._left -= self._counted(min(loop.time() - started, step))

    def _counted(self, waited: float) -> float:
        if self._worked is None:
            return waited
        before, self._seen = self._seen, self._worked()
        return max(self._seen - before, waited / _PATIENCE)
