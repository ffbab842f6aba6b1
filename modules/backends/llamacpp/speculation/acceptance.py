"""How well drafts do for one reply, and when to try again where they did not. Pure."""

from typing import Final

# The last ten or so drafts count: a reply changes between text and code.
_DECAY: Final = 0.9
_HOPE_WEIGHT: Final = 2.0
HOPE: Final = 0.75
FIRST_PAUSE: Final = 32
# Text that is hard to guess is tried again now and then, at a cost that is not noticed.
LAST_PAUSE: Final = 1024
# So many tokens have to be sought before what came true of them says something.
_TRIAL: Final = 4


class Acceptance:
    """`rate` is the share of sought tokens that came true: recent ones count most, and at first it is `hope`."""

    def __init__(self, hope: float = HOPE) -> None:
        self._pause = FIRST_PAUSE
        self._resumes_at = 0
        self._right = self._sought = 0.0
        self._tried = 0
        self._hope_for(hope)

    @property
    def rate(self) -> float:
        return self._right / self._sought

    def learn(self, *, sought: int, right: int) -> None:
        """`right` tokens of a draft came true, of `sought` that were sought up to the first that did not."""
        self._right = _DECAY * self._right + right
        self._sought = _DECAY * self._sought + sought
        self._tried += sought

    def is_paused(self, length: int) -> bool:
        """`length` is that of the reply so far."""
        return length < self._resumes_at

    def pause(self, length: int) -> None:
        """It does not pay: seek nothing for some tokens, each time for longer. Then it is tried again, with hope."""
        self._resumes_at = length + self._pause
        self._pause = min(LAST_PAUSE, 2 * self._pause)
        self._hope_for(HOPE)

    def pays(self) -> None:
        """It does; said by what came true, and not by hope alone, that ends the long pauses."""
        if self._tried >= _TRIAL:
            self._pause = FIRST_PAUSE

    def _hope_for(self, rate: float) -> None:
        self._right, self._sought, self._tried = _HOPE_WEIGHT * rate, _HOPE_WEIGHT, 0
