"""Replies no faster than one wants to read them."""

import time
from collections.abc import Callable


class ReplyPacer:
    """`rate` is in tokens a second; 0 sets no bound. The clock starts with the first words."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._begun: float | None = None
        self._length = 0

    def passed(self, words: str, tokens: int) -> str:
        """As much of `words`, which are `tokens` and only ever grow, as may be shown by now; never less than before."""
        if not self._rate:
            return words
        if self._begun is None and words:
            self._begun = self._clock()
        if self._begun is None or not tokens:
            return words[: self._length]
        # One token is there at once; how long each one is, only their average says.
        allowed = 1 + (self._clock() - self._begun) * self._rate
        self._length = max(self._length, round(len(words) * min(1.0, allowed / tokens)))
        return words[: self._length]
