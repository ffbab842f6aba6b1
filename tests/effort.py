"""What acts cost, as ratios: CPU time of this process and of children that have ended, of an act beside a baseline that
is measured in turn with it. A busy machine makes both slower, and a wait for a core counts for neither.
"""

import gc
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager


def effort_ratio(act: Callable[[], object], baseline: Callable[[], object], *, times: int = 3) -> float:
    """How many times the effort of `baseline` is spent by `act`: the least of each that was measured."""
    costs: list[tuple[float, float]] = []
    with _no_collection():
        for _ in range(times):
            begun = _spent()
            act()
            between = _spent()
            baseline()
            costs.append((between - begun, _spent() - between))
    return _ratio(costs)


async def async_effort_ratio(
    act: Callable[[], Awaitable[object]], baseline: Callable[[], Awaitable[object]], *, times: int = 3
) -> float:
    """As `effort_ratio`. Nothing else may run in this process meanwhile."""
    costs: list[tuple[float, float]] = []
    with _no_collection():
        for _ in range(times):
            begun = _spent()
            await act()
            between = _spent()
            await baseline()
            costs.append((between - begun, _spent() - between))
    return _ratio(costs)


@contextmanager
def _no_collection() -> Iterator[None]:
    """A garbage collection costs by all that the tests before have left, in whichever act it falls."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _ratio(costs: list[tuple[float, float]]) -> float:
    return min(act for act, _ in costs) / max(1e-6, min(baseline for _, baseline in costs))


def _spent() -> float:
    """Children are counted by the system's ticks of ten milliseconds, on POSIX systems only."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system
