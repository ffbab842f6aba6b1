"""How many prompt tokens one step may read. Pure; learns from how long steps took.

While replies are running, a step that also reads prompts may take `GAP` times as long as one that only decodes, times
the number of prompts that wait: so a long prompt never stalls a stream, and many short ones are not starved by it.
With nothing running, a step may take `IDLE_SECONDS`, which bounds how long a newcomer or a cancellation waits.
"""

from typing import Final

GAP: Final = 6.0
IDLE_SECONDS: Final = 0.75
# Reading fewer tokens in a step costs nearly as much as reading these.
MIN_SLICE: Final = 8
# Before anything is measured: short even on a slow machine.
_FIRST_SLICE: Final = 64
# A step that suddenly takes longer may be an exception; one that takes less shows what is possible.
_RISING: Final = 0.3
_FALLING: Final = 0.7


class PrefillBudget:
    """Measured costs: of a step that only decodes, and of each prompt token on top. `limit` caps every slice."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._decode_seconds: float | None = None
        self._token_seconds: float | None = None

    def slice_tokens(self, *, decoding: int, prefilling: int) -> int:
        """Prompt tokens to read in the next step, for all of `prefilling` prompts together."""
        if self._token_seconds is None:
            return min(self._limit, _FIRST_SLICE)
        allowed = IDLE_SECONDS
        if decoding and self._decode_seconds is not None:
            allowed = min(IDLE_SECONDS, self._decode_seconds * (GAP - 1) * max(1, prefilling))
        return max(MIN_SLICE, min(self._limit, int(allowed / self._token_seconds)))

    def learn(self, *, seconds: float, decoded: int, read: int) -> None:
        """A step took `seconds` for `decoded` reply tokens and `read` prompt tokens."""
        if not read:
            self._decode_seconds = _smooth(self._decode_seconds, seconds)
        elif read >= MIN_SLICE:
            rest = seconds - (self._decode_seconds or 0.0) if decoded else seconds
            self._token_seconds = _smooth(self._token_seconds, max(rest, seconds * 0.1) / read)


def _smooth(old: float | None, new: float) -> float:
    """Costs are believed sooner when they fall: what disturbs a measurement only ever makes it larger."""
    if old is None:
        return new
    return old + (_FALLING if new < old else _RISING) * (new - old)
