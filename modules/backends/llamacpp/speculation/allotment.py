"""How long the drafts of one step are: those lengths that make the most tokens per second of it. Pure.

A step computes one token of each running reply; drafted ones make it longer, and each that comes true saves a step
(arXiv:2211.17192).
"""

import heapq
from collections.abc import Sequence
from typing import Final

from modules.backends.llamacpp.speculation.costs import StepCosts

# What drafts have to win at least, by estimate: sampling more positions costs time as well.
MARGIN: Final = 1.08
# Matrices are multiplied in tiles: widths in between cost as much, and would all have to be measured.
_TILE: Final = 4
_SMALL: Final = frozenset({1, 2, 3, 6})


def allot(chances: Sequence[Sequence[float]], costs: StepCosts, *, width: int, tokens: float, rows: int) -> list[int]:
    """How many tokens of each draft to compute, of which the next is right with each of its `chances`.

    Without drafts the step computes `width` tokens, and `tokens` of them are the reply's. `rows` is the most there may
    be of all drafts together.
    """
    lengths = [0] * len(chances)
    best, best_speed = list(lengths), MARGIN * tokens / costs.of(width)
    # The likeliest next token of any draft, by the chance that it and all before it are right.
    waiting = [(-each[0], number) for number, each in enumerate(chances) if each]
    heapq.heapify(waiting)
    gained = 0.0
    for drafted in range(1, rows + 1):
        if not waiting:
            break
        negative, number = heapq.heappop(waiting)
        gained -= negative
        lengths[number] += 1
        if lengths[number] < len(chances[number]):
            heapq.heappush(waiting, (negative * chances[number][lengths[number]], number))
        whole = width + drafted
        if waiting and whole % _TILE and whole not in _SMALL:
            continue
        speed = (tokens + gained) / costs.of(whole)
        if speed > best_speed:
            best, best_speed = list(lengths), speed
    return best
