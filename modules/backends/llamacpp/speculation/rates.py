"""How often guesses come true, by how many tokens before them agree. Pure.

Learnt from every token of a reply, drafted or not: a guess that nobody computed is compared with what was said all the
same, so that to know whether drafts would pay costs no step.
"""

from typing import Final

# The longest agreement that is told apart from longer ones.
LONGEST: Final = 32
_STEPS: Final = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, LONGEST)
# Anywhere in the text, and right after the place where the last guess failed: before anything is known.
_FAR: Final = (0.05, 0.1, 0.15, 0.25, 0.35, 0.5, 0.7, 0.85, 0.92, 0.95, 0.97)
_NEAR: Final = (0.3, 0.8, 0.5, 0.7, 0.8, 0.88, 0.92, 0.95, 0.97, 0.98, 0.985)
_BUCKETS: Final = tuple(max(at for at, step in enumerate(_STEPS) if step <= length) for length in range(LONGEST + 1))


class Rates:
    """Shares of right guesses. Those of one reply begin with what is known of all, its `parent`."""

    def __init__(self, parent: "Rates | None" = None) -> None:
        self._parent = parent
        # What is known of all replies forgets slowly, and a reply what it did some lines before.
        self._weight, self._most = (3.0, 24.0) if parent is not None else (8.0, 256.0)
        self._right = [[0.0] * len(_STEPS), [0.0] * len(_STEPS)]
        self._all = [[0.0] * len(_STEPS), [0.0] * len(_STEPS)]

    def of(self, length: int, *, near: bool) -> float:
        """`length` tokens before the guess agree; `near` says that it follows soon after the last one that failed."""
        return self._rate(near, _BUCKETS[min(length, LONGEST)])

    def learn(self, length: int, *, near: bool, is_right: bool) -> None:
        bucket = _BUCKETS[min(length, LONGEST)]
        self._learn(near, bucket, is_right)
        if self._parent is not None:
            self._parent._learn(near, bucket, is_right)

    def _rate(self, near: bool, bucket: int) -> float:
        parent = self._parent
        known = (_NEAR if near else _FAR)[bucket] if parent is None else parent._rate(near, bucket)
        return (self._right[near][bucket] + self._weight * known) / (self._all[near][bucket] + self._weight)

    def _learn(self, near: bool, bucket: int, is_right: bool) -> None:
        right, all_ = self._right[near], self._all[near]
        right[bucket] += is_right
        all_[bucket] += 1
        if all_[bucket] > self._most:
            right[bucket] /= 2
            all_[bucket] /= 2
