"""Entries of lorebooks that stay or rest for some messages, as in SillyTavern.

Nothing of it is stored: what earlier replies found is looked for again in their messages, so that a reply that is written
anew, or in a branch, has what it would have had. Which entries there was room for then is not asked again.
"""

from collections.abc import Iterable
from typing import Final

from modules.library.lorebooks.book import Conditions, KeyRules, Lorebook, LoreEntry
from modules.prompt.characters.macros import Macros
from modules.prompt.characters.matching import Finder
from modules.prompt.characters.scan import FoundEntry, ReplyStart, Scan, Scene, Timing, named

# Entries that are found by entries that were found by entries.
MOST_ROUNDS: Final = 10
# Of a longer chat, this many replies and at most as many again are looked at, from the same one on for a long time.
_REPLIES: Final = 500


def timing_of(book: Lorebook, scene: Scene, finder: Finder) -> Timing:
    """What stays and what rests for the reply that is to be written now."""
    timed = {number: entry for number, entry in enumerate(book.entries) if _is_timed(entry.conditions)}
    if not timed or not scene.past:
        return Timing()
    history = _History(book, timed)
    only = frozenset(timed) | _finders_of(book, timed, scene.macros, finder)
    for moment in _looked_at(scene.past):
        timing = history.at(moment)
        history.note(moment, _found(Scan(book, scene.at(moment), finder, timing, only=only)))
    return history.at(ReplyStart(len(scene.texts), scene.messages, scene.replies))


def _is_timed(conditions: Conditions) -> bool:
    return bool(conditions.sticky or conditions.cooldown)


def _looked_at(past: tuple[ReplyStart, ...]) -> tuple[ReplyStart, ...]:
    return past[max(0, len(past) // _REPLIES - 1) * _REPLIES :]


class _History:
    """Until how many messages each entry stays, and rests."""

    def __init__(self, book: Lorebook, timed: dict[int, LoreEntry]) -> None:
        self._book = book
        self._timed = timed
        self._stays: dict[int, int] = {}
        self._rests: dict[int, int] = {}

    def at(self, moment: ReplyStart) -> Timing:
        """What ends by then ends; an entry rests from when it is seen to stay no longer."""
        for number in [each for each, end in self._stays.items() if moment.messages >= end]:
            del self._stays[number]
            if cooldown := self._timed[number].conditions.cooldown:
                self._rests[number] = moment.messages + cooldown
        for number in [each for each, end in self._rests.items() if moment.messages >= end]:
            del self._rests[number]
        return Timing(frozenset(self._stays), frozenset(self._rests))

    def note(self, moment: ReplyStart, found: list[FoundEntry]) -> None:
        for each in found:
            conditions = each.entry.conditions
            if conditions.sticky:
                self._stays.setdefault(each.number, moment.messages + conditions.sticky)
            if conditions.cooldown:
                self._rests.setdefault(each.number, moment.messages + conditions.cooldown)


def _found(scan: Scan) -> list[FoundEntry]:
    found = scan.first()
    every = list(found)
    for _ in range(MOST_ROUNDS - 1):
        said = [each.entry.content for each in found if each.entry.conditions.finds_others]
        if not scan.book.is_recursive or not said:
            break
        found = scan.further(said)
        every += found
    return every


def _finders_of(book: Lorebook, timed: dict[int, LoreEntry], macros: Macros, finder: Finder) -> frozenset[int]:
    """The entries by which some of `timed` may be found, directly or by others, and those of the same groups."""
    groups = {entry.conditions.group for entry in timed.values() if entry.conditions.group}
    wanted = {number for number, entry in enumerate(book.entries) if entry.conditions.group in groups}
    if not book.is_recursive:
        return frozenset(wanted)
    sayers = [(number, entry) for number, entry in enumerate(book.entries) if entry.conditions.finds_others]
    texts = {number: macros.filled(entry.content) for number, entry in sayers}
    asked = {*timed, *wanted}
    while asked:
        entries = [named(book.entries[number], macros) for number in asked]
        rules = [entry.rules for entry in entries if entry.conditions.found_by_others and entry.rules.keys]
        said = {number for number, text in texts.items() if _is_asked(rules, text, finder)}
        asked = said - wanted - timed.keys()
        wanted |= asked
    return frozenset(wanted)


def _is_asked(rules: Iterable[KeyRules], text: str, finder: Finder) -> bool:
    lowered = text.lower()
    return any(finder.has_key(each, text, lowered) for each in rules)
