"""Which entries of one lorebook a conversation finds, at one moment of it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from modules.library.lorebooks.book import Lorebook, LoreEntry, Position
from modules.prompt.characters.macros import Macros, fraction
from modules.prompt.characters.matching import Finder

# What books say nothing about.
_SCAN_DEPTH: Final = 4
# The end of a long message; more takes long to search and says little.
_LONGEST_TEXT: Final = 100_000


@dataclass(frozen=True, slots=True)
class ReplyStart:
    """When a reply began: how many texts and messages there were, and how many replies among them."""

    texts: int
    messages: int
    replies: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What entries are looked for in: `texts`, oldest first, of so many `messages`, and how many of them are `replies`.
    `greeting` is the number of the one that the chat began with, None where nobody knows; `past` is when earlier replies
    began."""

    texts: tuple[str, ...]
    messages: int
    replies: int
    greeting: int | None
    macros: Macros
    past: tuple[ReplyStart, ...] = ()

    def at(self, moment: ReplyStart) -> "Scene":
        """The scene as an earlier reply had it."""
        texts = self.texts[: moment.texts]
        return replace(self, texts=texts, messages=moment.messages, replies=moment.replies, past=())


@dataclass(frozen=True, slots=True)
class Timing:
    """Entries by their number in the book: those that stay, whether or not they are found, and those that rest."""

    sticky: frozenset[int] = frozenset()
    resting: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """An entry, its number in the book, and whether it stays from an earlier reply."""

    number: int
    entry: LoreEntry
    is_sticky: bool = False


class Scan:
    """Of one book; each entry is given once. With `only` no others are looked at."""

    def __init__(
        self,
        book: Lorebook,
        scene: Scene,
        finder: Finder,
        timing: Timing | None = None,
        *,
        only: frozenset[int] | None = None,
    ) -> None:
        timing = timing or Timing()
        self.book = book
        self._scene = scene
        self._finder = finder
        self._waiting = [
            FoundEntry(number, named(entry, scene.macros), number in timing.sticky)
            for number, entry in enumerate(book.entries)
            if (only is None or number in only)
            and (number not in timing.resting or number in timing.sticky)
            and entry.content
            and _is_possible(entry, scene)
        ]
        self._depth = _SCAN_DEPTH if book.scan_depth is None else max(0, book.scan_depth)
        self._windows: dict[int, tuple[str, str]] = {}
        self._said: list[str] = []
        self._is_first = True

    def first(self) -> list[FoundEntry]:
        """Found in the messages, and what stays."""
        found = [
            each
            for each in self._waiting
            if each.is_sticky or (not each.entry.conditions.only_found_by_others and self._is_found(each.entry))
        ]
        return self._taken(found)

    def further(self, texts: Iterable[str]) -> list[FoundEntry]:
        """Found in what other entries say, beside the messages."""
        macros = self._scene.macros
        self._said += [macros.filled(text) for text in texts]
        self._is_first = False
        self._windows.clear()
        return self._taken(
            [each for each in self._waiting if each.entry.conditions.found_by_others and self._is_found(each.entry)]
        )

    def _taken(self, found: Sequence[FoundEntry]) -> list[FoundEntry]:
        numbers = {each.number for each in found}
        self._waiting = [each for each in self._waiting if each.number not in numbers]
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


def named(entry: LoreEntry, macros: Macros) -> LoreEntry:
    """Keys may name the two who speak."""
    keys = entry.rules.keys
    if not any("{{" in key for key in keys):
        return entry
    return replace(entry, rules=replace(entry.rules, keys=tuple(map(macros.filled, keys))))


def _is_possible(entry: LoreEntry, scene: Scene) -> bool:
    conditions = entry.conditions
    if not conditions.is_enabled or conditions.never or scene.messages < conditions.delay:
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


def _one_of_each_group(found: Sequence[FoundEntry], seed: str) -> list[FoundEntry]:
    """Of a group in which some stay, those."""
    groups: defaultdict[str, list[FoundEntry]] = defaultdict(list)
    for each in found:
        if each.entry.conditions.group:
            groups[each.entry.conditions.group].append(each)
    chosen: set[int] = set()
    for name, group in groups.items():
        staying = [each.number for each in group if each.is_sticky]
        chosen |= set(staying or [_drawn(group, f"{seed}\0{name}").number])
    return [each for each in found if not each.entry.conditions.group or each.number in chosen]


def _drawn(found: Sequence[FoundEntry], seed: str) -> FoundEntry:
    """By weight."""
    weights = [max(0.0, each.entry.conditions.group_weight) for each in found]
    place = fraction(seed) * sum(weights)
    for each, weight in zip(found, weights, strict=True):
        place -= weight
        if place < 0:
            return each
    return found[-1]
