"""Many parameters of one test: some of them in the daily run, all in the extended one."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def some_daily(values: Iterable[Any], *, every: int, ids: Callable[[Any], str] = str) -> list[Any]:
    """Parameters, of which the first and each `every`th after it are tested daily."""
    return [
        pytest.param(value, id=ids(value), marks=[pytest.mark.extended] if at % every else [])
        for at, value in enumerate(values)
    ]
