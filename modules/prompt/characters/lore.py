"""Which entries of lorebooks join a prompt: those whose keys were said lately, within a budget."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from modules.library.lorebooks.book import Lorebook, LoreEntry, Position
from modules.prompt.characters.matching import Finder, Patterns
from modules.prompt.characters.scan import FoundEntry, Scan, Scene
from modules.prompt.characters.timing import MOST_ROUNDS, timing_of

_SHARE: Final = 4
# Tokens for a model elsewhere whose context nobody knows.
_UNKNOWN: Final = 1024

Count = Callable[[str], Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lore:
    """`entries` in the order in which they stand; `left_out` are titles of those that there was no room for."""

    entries: tuple[LoreEntry, ...] = ()
    left_out: tuple[str, ...] = ()
    too_slow: bool = False

    def texts(self, position: Position) -> list[str]:
        return [entry.content for entry in self.entries if entry.position is position]


@dataclass(slots=True)
class _Room:
    left: int
    left_out: list[str] = field(default_factory=list)


async def chosen_lore(
    books: Sequence[Lorebook], scene: Scene, patterns: Patterns, *, count: Count, context: int
) -> Lore:
    """`count` says how many tokens a text has, `context` how many the model can read. Raises nothing: what cannot be
    searched is not found."""
    # Each has its time: what was found earlier must not keep from looking now.
    finder, earlier = Finder(patterns), Finder(patterns)
    entries: list[LoreEntry] = []
    left_out: list[str] = []
    for book in books:
        room = _Room((context // _SHARE or _UNKNOWN) if book.token_budget is None else max(0, book.token_budget))
        timing = await asyncio.to_thread(timing_of, book, scene, earlier)
        entries += await _of_book(Scan(book, scene, finder, timing), room, count)
        left_out += room.left_out
    ordered = sorted(entries, key=lambda entry: entry.order)
    return Lore(entries=tuple(ordered), left_out=tuple(left_out), too_slow=finder.too_slow or earlier.too_slow)


async def _of_book(scan: Scan, room: _Room, count: Count) -> list[LoreEntry]:
    entries: list[LoreEntry] = []
    found = await asyncio.to_thread(scan.first)
    for _ in range(MOST_ROUNDS):
        fitting = [entry for entry in _by_priority(found) if await _fits(entry, room, count)]
        entries += fitting
        said = [entry.content for entry in fitting if entry.conditions.finds_others]
        if not scan.book.is_recursive or not said:
            break
        found = await asyncio.to_thread(scan.further, said)
    return entries


def _by_priority(found: Iterable[FoundEntry]) -> list[LoreEntry]:
    """What stays from earlier replies goes last where room lacks."""
    ordered = sorted(found, key=lambda each: (each.is_sticky, each.entry.priority, each.entry.order), reverse=True)
    return [each.entry for each in ordered]


async def _fits(entry: LoreEntry, room: _Room, count: Count) -> bool:
    # No token is longer than it is when counted, and no text has more tokens than bytes.
    length = len(entry.content.encode("utf-8", "replace"))
    tokens = length if length * 8 <= room.left else await count(entry.content)
    if tokens > room.left:
        room.left_out.append(entry.title)
        return False
    room.left -= tokens
    return True
