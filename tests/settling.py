"""What comes late to a page or to another process: looked at until it is as it should be."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.05
T = TypeVar("T")


async def settles(look: Callable[[], Awaitable[T]], wanted: T) -> None:
    """Asserts that `look` returns `wanted` in the end. Polled, because neither browsers nor other processes send events."""
    deadline = time.monotonic() + _SECONDS
    while (found := await look()) != wanted and time.monotonic() < deadline:  # noqa: ASYNC110 - nobody is told
        await asyncio.sleep(_POLL_SECONDS)
    assert found == wanted
