"""How many prompt tokens one step may read. Pure; learns from how long steps took.

While replies are running, a step that also reads prompts may take `GAP` times as long as one that only decodes, and
somewhat longer when several prompts wait: so a prompt never stalls a stream, however long, and many are not starved by it.
With nothing running, a step may take `IDLE_SECONDS`, which bounds how long a newcomer or a cancellation waits, or as long
as the least takes that is computed efficiently, but no longer than `MOST_SECONDS`. A step that can be given up for them
takes up to `MOST_SECONDS`, since fewer and longer steps are faster; after one that was, as many tokens are read in short
steps, so that less is computed in vain than is kept.
"""

from typing import Final

from modules.backends.kv.fair_shares import MIN_SLICE

GAP: Final = 6.0
# For how many prompts together a step may take that much longer.
_PROMPTS: Final = 2
IDLE_SECONDS: Final = 0.15
MOST_SECONDS: Final = 0.75
# Before anything is measured: short even on a slow machine.
_FIRST_SLICE: Final = 64
# A step that suddenly takes longer may be an exception; one that takes less shows what is possible.
_RISING: Final = 0.3
_FALLING: Final = 0.7


class PrefillBudget:
    """Measured costs: of a step that only decodes, and of each prompt token on top. `limit` caps every slice; `unit` tokens
    are the least that is read efficiently. With nothing running up to `stoppable` tokens can be given up."""

    def __init__(self, limit: int, *, unit: int = MIN_SLICE, stoppable: int = 0) -> None:
        self._limit = limit
        self._unit = unit
        self._stoppable = stoppable
        # Prompt tokens to be read before a long step is tried again.
        self._short = 0
        self._decode_seconds: float | None = None
        self._token_seconds: float | None = None

    @property
    def can_stop(self) -> bool:
        """Whether the next step may be given up: so many tokens are read between two that were that all get on."""
        return self._stoppable > 0 and not self._short

    def slice_tokens(self, *, decoding: int, prefilling: int) -> int:
        """Prompt tokens to read in the next step, for all of `prefilling` prompts together."""
        if self._token_seconds is None:
            return min(self._limit, _FIRST_SLICE)
        if decoding and self._decode_seconds is not None:
            prompts = min(_PROMPTS, max(1, prefilling))
            allowed = min(MOST_SECONDS, self._decode_seconds * (GAP - 1) * prompts)
            return self._bounded(int(allowed / self._token_seconds))
        tokens = int(IDLE_SECONDS / self._token_seconds)
        most = int(MOST_SECONDS / self._token_seconds)
        if self.can_stop:
            tokens = max(tokens, min(most, self._stoppable))
        if tokens < self._unit:
            return self._bounded(min(self._unit, most))
        return self._bounded(tokens - tokens % self._unit)

    def seconds(self, tokens: int) -> float:
        """How long a step that reads so many prompt tokens takes, and nothing else; 0 while that is not known."""
        return tokens * (self._token_seconds or 0.0)

    def give_up(self) -> None:
        """A step that read prompts was stopped, and what it had computed is lost."""
        self._short = self._stoppable

    def _bounded(self, tokens: int) -> int:
        return max(MIN_SLICE, min(self._limit, tokens))

    def learn(self, *, seconds: float, decoded: int, read: int) -> None:
        """A step took `seconds` for `decoded` reply tokens and `read` prompt tokens."""
        self._short = max(0, self._short - read)
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
