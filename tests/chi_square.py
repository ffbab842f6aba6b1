"""Whether two samples may be of one distribution."""

import math
from collections import Counter
from collections.abc import Hashable
from typing import Final, TypeVar

_Outcome = TypeVar("_Outcome", bound=Hashable)
# Outcomes that were seen more rarely, in both samples together, count as one.
_RARE: Final = 10


def survival(statistic: float, freedom: int) -> float:
    """The probability that a chi-square variable is at least `statistic` (Abramowitz and Stegun, 26.4.4 and 26.4.5)."""
    half = statistic / 2
    total, start = (math.erfc(math.sqrt(half)), 0.5) if freedom % 2 else (0.0, 0.0)
    for number in range(freedom // 2):
        power = start + number
        total += math.exp(power * math.log(half) - half - math.lgamma(power + 1)) if half else float(power == 0)
    return min(1.0, total)


def p_value(ours: Counter[_Outcome], theirs: Counter[_Outcome]) -> float:
    """How probable it is that two samples of one distribution differ at least so much."""
    common = [outcome for outcome in ours | theirs if ours[outcome] + theirs[outcome] >= _RARE]
    pairs = [(ours[outcome], theirs[outcome]) for outcome in common]
    rare = ours.total() - sum(a for a, _ in pairs), theirs.total() - sum(b for _, b in pairs)
    if sum(rare):
        pairs.append(rare)
    assert len(pairs) > 1, "too few different outcomes to compare"
    ratio = math.sqrt(theirs.total() / ours.total())
    statistic = sum((a * ratio - b / ratio) ** 2 / (a + b) for a, b in pairs)
    return survival(statistic, len(pairs) - 1)
