"""How a thread of a child shows that it advances."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# The name of a thread that may wait for long without being stuck: it reads files over a network, or fetches them.
LOADING: Final = "load"


class ThreadProgress:
    """Written by one thread, read by any. `count` grows as the thread advances; one that `is_at_work` and does not count
    is stuck, or in a call that takes long."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self.is_at_work = False

    def advance(self) -> None:
        self.count += 1

    def begin(self) -> None:
        self.count += 1
        self.is_at_work = True

    def rest(self) -> None:
        self.is_at_work = False

    @contextmanager
    def at_work(self) -> Iterator[None]:
        self.begin()
        try:
            yield
        finally:
            self.rest()
