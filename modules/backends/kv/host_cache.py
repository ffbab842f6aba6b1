"""Finished sequences that were moved out of the KV cache to keep later steps fast. Pure.

What lies in the cache costs each decode time, used or not; what lies here costs memory, of a fixed size. A ring buffer: the
oldest give way to the newest.
"""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from modules.backends.adapters import AdapterGroup
from modules.backends.kv.prefix_cache import common_length


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """The state of a sequence of `group` with `tokens`, at `start` of the buffer, `size` bytes long."""

    tokens: "array[int]"
    start: int
    size: int
    group: AdapterGroup = ()

    @property
    def end(self) -> int:
        return self.start + self.size

    def overlaps(self, other: "Entry") -> bool:
        return self.start < other.end and other.start < self.end


class HostCache:
    """Says what lies where in a buffer of `capacity` bytes; the bytes themselves are the caller's.

    `measure` tells how many of them the state of a sequence takes. `whole` entries are of use with all their tokens only:
    a longer one does not stand for a shorter one.
    """

    def __init__(self, capacity: int, measure: Callable[[int], int], *, whole: bool = False) -> None:
        self._whole = whole
        self._capacity = capacity
        self._measure = measure
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._next = 0
        self._pinned: Entry | None = None

    @contextmanager
    def pinned(self, entry: Entry) -> Iterator[None]:
        """Meanwhile nothing is written over `entry`, which is about to be read."""
        self._pinned = entry
        try:
            yield
        finally:
            self._pinned = None

    def match(
        self, tokens: Sequence[int], *, whole: bool = False, group: AdapterGroup = ()
    ) -> tuple[int, Entry | None]:
        """The longest beginning of `tokens` that an entry of `group` holds; with `whole` only entries that are one count."""
        best: tuple[int, Entry | None] = (0, None)
        for entry in self.entries(group):
            common = common_length(entry.tokens, tokens)
            if common > best[0] and (not whole or common == len(entry.tokens)):
                best = common, entry
        return best

    def add(self, sequence: int, tokens: Sequence[int], group: AdapterGroup = ()) -> Entry | None:
        """A place for the state of `sequence` of `group`, which holds `tokens`, in exchange for older ones.

        None when another entry already holds these tokens, or when no place is large enough.
        """
        size = self._measure(sequence) if self._capacity else 1
        if size > self._capacity or self._is_held(tokens, group):
            return None
        for entry in self._replaced(tokens, group):
            del self._entries[entry.start]
        start = self._next if self._next + size <= self._capacity else 0
        added = Entry(array("i", tokens), start, size, group)
        if self._pinned is not None and self._pinned.overlaps(added):
            return None
        for entry in [entry for entry in self._entries.values() if entry.overlaps(added)]:
            del self._entries[entry.start]
        self._entries[start] = added
        self._next = added.end
        return added

    def entries(self, group: AdapterGroup) -> list[Entry]:
        return [entry for entry in self._entries.values() if entry.group == group]

    def holds(self, entry: Entry) -> bool:
        """Whether nothing was written over it."""
        return self._entries.get(entry.start) is entry

    def _is_held(self, tokens: Sequence[int], group: AdapterGroup) -> bool:
        return self.match(tokens, whole=self._whole, group=group)[0] == len(tokens)

    def _replaced(self, tokens: Sequence[int], group: AdapterGroup) -> list[Entry]:
        """Those that one with `tokens` stands for."""
        own = [] if self._whole else self.entries(group)
        return [entry for entry in own if common_length(entry.tokens, tokens) == len(entry.tokens)]
