"""Which entries of lorebooks join a prompt: those whose keys were said lately, within a budget."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from modules.library.lorebooks.book import Lorebook, LoreEntry, Position
from modules.prompt.characters.macros import Macros, fraction
from modules.prompt.characters.matching import Finder, Patterns

# What books say nothing about.
_SCAN_DEPTH: Final = 4
_SHARE: Final = 4
# Tokens for a model elsewhere whose context nobody knows.
_UNKNOWN: Final = 1024
# Entries that are found by entries that were found by entries.
_MOST_ROUNDS: Final = 10
# The end of a long message; more takes long to search and says little.
_LONGEST_TEXT: Final = 100_000

Count = Callable[[str], Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What entries are looked for in: `texts` of the messages, oldest first, and how many of them are `replies`. `greeting`
    is the number of the one that the chat began with, None where nobody knows."""

    texts: tuple[str, ...]
    replies: int
    greeting: int | None
    macros: Macros


@dataclass(frozen=True, slots=True, kw_only=True)
class Lore:
    """`entries` in the order in which they stand; `left_out` are titles of those that there was no room for."""

    entries: tuple[LoreEntry, ...] = ()
    left_out: tuple[str, ...] = ()
    too_slow: bool = False

    def texts(self, position: Position) -> list[str]:
        return [entry.content for entry in self.entries if entry.position is position]

    @property
    def titles(self) -> tuple[str, ...]:
        return tuple(entry.title for entry in self.entries)


@dataclass(slots=True)
class _Room:
    left: int
    left_out: list[str] = field(default_factory=list)


async def chosen_lore(
    books: Sequence[Lorebook], scene: Scene, patterns: Patterns, *, count: Count, context: int
) -> Lore:
    """`count` says how many tokens a text has, `context` how many the model can read. Raises nothing: what cannot be
    searched is not found."""
    finder = Finder(patterns)
    entries: list[LoreEntry] = []
    left_out: list[str] = []
    for book in books:
        room = _Room((context // _SHARE or _UNKNOWN) if book.token_budget is None else max(0, book.token_budget))
        entries += await _of_book(_Scan(book, scene, finder), room, count)
        left_out += room.left_out
    ordered = sorted(entries, key=lambda entry: entry.order)
    return Lore(entries=tuple(ordered), left_out=tuple(left_out), too_slow=finder.too_slow)


async def _of_book(scan: "_Scan", room: _Room, count: Count) -> list[LoreEntry]:
    entries: list[LoreEntry] = []
    found = await asyncio.to_thread(scan.first)
    for _ in range(_MOST_ROUNDS):
        fitting = [entry for entry in _by_priority(found) if await _fits(entry, room, count)]
        entries += fitting
        said = [entry.content for entry in fitting if entry.conditions.finds_others]
        if not scan.book.is_recursive or not said:
            break
        found = await asyncio.to_thread(scan.further, said)
    return entries


def _by_priority(entries: Iterable[LoreEntry]) -> list[LoreEntry]:
    return sorted(entries, key=lambda entry: (entry.priority, entry.order), reverse=True)


async def _fits(entry: LoreEntry, room: _Room, count: Count) -> bool:
    # No token is longer than it is when counted, and no text has more tokens than bytes.
    length = len(entry.content.encode("utf-8", "replace"))
    tokens = length if length * 8 <= room.left else await count(entry.content)
    if tokens > room.left:
        room.left_out.append(entry.title)
        return False
    room.left -= tokens
    return True


class _Scan:
    """Of one book; each entry is given once."""

    def __init__(self, book: Lorebook, scene: Scene, finder: Finder) -> None:
        self.book = book
        self._scene = scene
        self._finder = finder
        possible = (entry for entry in book.entries if entry.content and _is_possible(entry, scene))
        self._waiting = [_named(entry, scene.macros) for entry in possible]
        self._depth = _SCAN_DEPTH if book.scan_depth is None else max(0, book.scan_depth)
        self._windows: dict[int, tuple[str, str]] = {}
        self._said: list[str] = []
        self._is_first = True

    def first(self) -> list[LoreEntry]:
        """Found in the messages."""
        found = [
            entry for entry in self._waiting if not entry.conditions.only_found_by_others and self._is_found(entry)
        ]
        return self._taken(found)

    def further(self, texts: Iterable[str]) -> list[LoreEntry]:
        """Found in what other entries say, beside the messages."""
        macros = self._scene.macros
        self._said += [macros.filled(text) for text in texts]
        self._is_first = False
        self._windows.clear()
        return self._taken(
            [entry for entry in self._waiting if entry.conditions.found_by_others and self._is_found(entry)]
        )

    def _taken(self, found: Sequence[LoreEntry]) -> list[LoreEntry]:
        ids = {id(entry) for entry in found}
        self._waiting = [entry for entry in self._waiting if id(entry) not in ids]
        return _one_of_each_group(found, self._scene.macros.seed)

    def _is_found(self, entry: LoreEntry) -> bool:
        conditions, rules = entry.conditions, entry.rules
        if conditions.always:
            return self._is_first and _has_luck(entry, self._scene)
        if not rules.keys:
            return False
        depth = self._depth if rules.scan_depth is None else max(0, rules.scan_depth)
        texts = self._scene.texts
        text, lowered = self._window(len(texts) if conditions.again else depth)
        if not self._finder.finds(rules, text, lowered):
            return False
        if conditions.once and len(texts) > 1 and self._finder.finds(rules, *_joined(texts[:-1])):
            return False
        return _has_luck(entry, self._scene)

    def _window(self, depth: int) -> tuple[str, str]:
        if depth not in self._windows:
            texts = self._scene.texts[-depth:] if depth else ()
            self._windows[depth] = _joined((*texts, *self._said))
        return self._windows[depth]


def _joined(texts: Iterable[str]) -> tuple[str, str]:
    text = "\n".join(each[-_LONGEST_TEXT:] for each in texts)
    return text, text.lower()


def _named(entry: LoreEntry, macros: Macros) -> LoreEntry:
    """Keys may name the two who speak."""
    keys = entry.rules.keys
    if not any("{{" in key for key in keys):
        return entry
    return replace(entry, rules=replace(entry.rules, keys=tuple(map(macros.filled, keys))))


def _is_possible(entry: LoreEntry, scene: Scene) -> bool:
    conditions = entry.conditions
    if not conditions.is_enabled or conditions.never:
        return False
    if conditions.only_after is not None and scene.replies < conditions.only_after:
        return False
    if conditions.only_every and scene.replies % conditions.only_every:
        return False
    return None in (conditions.greeting, scene.greeting) or conditions.greeting == scene.greeting


def _has_luck(entry: LoreEntry, scene: Scene) -> bool:
    """Drawn once for a chat where the entry stands at its beginning, which the model has in its cache; else once for each
    message."""
    turn = str(len(scene.texts)) if entry.position is Position.DEPTH else ""
    drawn = fraction("\0".join((scene.macros.seed, turn, entry.title, entry.content)))
    return drawn * 100 < entry.conditions.probability


def _one_of_each_group(entries: Sequence[LoreEntry], seed: str) -> list[LoreEntry]:
    groups: defaultdict[str, list[LoreEntry]] = defaultdict(list)
    for entry in entries:
        if entry.conditions.group:
            groups[entry.conditions.group].append(entry)
    chosen = {name: id(_drawn(group, f"{seed}\0{name}")) for name, group in groups.items()}
    return [entry for entry in entries if not entry.conditions.group or chosen[entry.conditions.group] == id(entry)]


def _drawn(entries: Sequence[LoreEntry], seed: str) -> LoreEntry:
    """By weight."""
    weights = [max(0.0, entry.conditions.group_weight) for entry in entries]
    place = fraction(seed) * sum(weights)
    for entry, weight in zip(entries, weights, strict=True):
        place -= weight
        if place < 0:
            return entry
    return entries[-1]
