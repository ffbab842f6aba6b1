"""How long steps take, by how many tokens they compute. Pure; learns from those that were made."""

from bisect import bisect, insort
from typing import Final

_RISING: Final = 0.2
_FALLING: Final = 0.5
_TRIALS: Final = 3
# Of what a token costs in a step: what one more is taken to cost until that has been measured.
_FIRST_SLOPE: Final = 0.1
# What is a little too cheap by estimate is tried, and then measured.
_OPTIMISM: Final = 0.8


class StepCosts:
    """Seconds by width. What was not measured is taken from the widths around it."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}
        self._widths: list[int] = []
        self._trials: dict[int, list[float]] = {}
        self._slope = 0.0

    @property
    def is_known(self) -> bool:
        return bool(self._seconds)

    def learn(self, width: int, seconds: float) -> None:
        """What disturbs a measurement only ever makes it larger, so lower ones are believed sooner, and the first few
        of a width count only together."""
        if width not in self._seconds:
            trials = self._trials.setdefault(width, [])
            trials.append(seconds)
            if len(trials) < _TRIALS and self._seconds:
                return
            seconds = min(self._trials.pop(width))
            insort(self._widths, width)
        old = self._seconds.get(width, seconds)
        self._seconds[width] = old + (_FALLING if seconds < old else _RISING) * (seconds - old)

    def learn_long(self, seconds: float) -> None:
        """What a token costs in steps that read prompts: no step is computed for less a token."""
        self._slope = _OPTIMISM * seconds

    def of(self, width: int) -> float:
        known = self._seconds.get(width)
        if known is not None:
            return known
        widths = self._widths
        at = bisect(widths, width)
        if at == 0 or at == len(widths):
            return self._beyond(widths, width)
        low, high = widths[at - 1], widths[at]
        share = (width - low) / (high - low)
        return self._seconds[low] + share * (self._seconds[high] - self._seconds[low])

    def _beyond(self, widths: list[int], width: int) -> float:
        """Above, by what a token costs in the long steps that read prompts; before one was read by the first slope, so that
        a width is tried before it is thought too dear: where two tokens cost as much as two steps, eight may cost as much
        as four. Below, by the line through the outermost two, never falling."""
        low, high = widths[0], widths[-1]
        if width > high or len(widths) == 1:
            nearest = high if width > high else low
            slope = self._slope or _FIRST_SLOPE * self._seconds[nearest] / nearest
            return max(self._seconds[nearest] + slope * (width - nearest), 0.0)
        slope = max(0.0, (self._seconds[high] - self._seconds[low]) / (high - low))
        return max(self._seconds[low] * 0.1, self._seconds[low] + slope * (width - low))
