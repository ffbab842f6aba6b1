"""How a thread shows that it gets on."""

from collections.abc import Iterator
from contextlib import contextmanager


class Pulse:
    """Written by one thread, read by any. `count` grows as the thread gets on with its work; one that `is_at_work` and
    does not count is stuck, or in a call that takes long."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self.is_at_work = False

    def beat(self) -> None:
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
