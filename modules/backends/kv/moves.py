"""Which tokens of a prompt another sequence has, somewhere else. Pure."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from modules.backends.kv.prefix_cache import common_length

# So many tokens in a row are looked for at once; shorter runs are not found.
GRAM: Final = 16
# Places in which the same tokens stand that are tried for one run.
_TRIES: Final = 8


@dataclass(frozen=True, slots=True)
class CellMove:
    """The `length` tokens of a prompt at `target` stand at `source` of another sequence."""

    target: int
    source: int
    length: int

    @property
    def end(self) -> int:
        return self.target + self.length


class MovePlanner:
    """For the tokens of one prompt from `start` on: what is before is at hand."""

    def __init__(self, tokens: Sequence[int], start: int, least: int) -> None:
        self._tokens = tokens
        self._start = start
        self._least = max(GRAM, least)
        self._grams = {_gram(tokens, at) for at in range(start, len(tokens) - GRAM + 1)}

    def likeness(self, held: Sequence[int]) -> int:
        """About how much of `held` the prompt has: of each `GRAM` tokens, whether it has them."""
        return sum(_gram(held, at) in self._grams for at in range(0, len(held) - GRAM + 1, GRAM))

    def moves(self, held: Sequence[int]) -> tuple[CellMove, ...]:
        """Runs of at least `least` tokens that `held` has as well, in the same order."""
        places: dict[tuple[int, ...], list[int]] = {}
        for at in range(len(held) - GRAM + 1):
            places.setdefault(_gram(held, at), []).append(at)
        found: list[CellMove] = []
        target, head = self._start, 0
        while target <= len(self._tokens) - self._least:
            move = self._longest(held, places.get(_gram(self._tokens, target), []), target, head)
            if move is None:
                target += 1
                continue
            found.append(move)
            target, head = move.end, move.source + move.length
        return tuple(found)

    def _longest(self, held: Sequence[int], places: list[int], target: int, head: int) -> CellMove | None:
        first = bisect_left(places, head)
        rest = self._tokens[target:]
        tried = [CellMove(target, at, common_length(rest, held, at)) for at in places[first : first + _TRIES]]
        best = max(tried, key=lambda move: move.length, default=None)
        return best if best is not None and best.length >= self._least else None


def _gram(tokens: Sequence[int], at: int) -> tuple[int, ...]:
    return tuple(tokens[at : at + GRAM])
