"""Whether keys of lorebooks occur in a text; regular expressions have little time for it."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import regex

from modules.library.lorebooks.book import KeyRules, Logic

# Of one expression, and of all of one reply's. Some would run for years.
_SEARCH_SECONDS: Final = 0.02
_ALL_SECONDS: Final = 0.3
_LONGEST_PATTERN: Final = 2_000
_FLAGS: Final = MappingProxyType({"i": regex.IGNORECASE, "m": regex.MULTILINE, "s": regex.DOTALL})
_OTHER_FLAGS: Final = frozenset("gyu")


class Patterns:
    """Compiled expressions; safe to share between threads."""

    def __init__(self) -> None:
        self.compiled: Callable[[str], regex.Pattern[str] | None] = lru_cache(maxsize=8192)(_compiled)


class Finder:
    """Looks for keys in the texts of one reply; `too_slow` says whether an expression was given up."""

    def __init__(self, patterns: Patterns, clock: Callable[[], float] = time.monotonic) -> None:
        self._patterns = patterns
        self._clock = clock
        self._left = _ALL_SECONDS
        self.too_slow = False

    def finds(self, rules: KeyRules, text: str, lowered: str) -> bool:
        """`lowered` is `text` in small letters."""
        if not self.has_key(rules, text, lowered):
            return False
        return self.allows(rules, text, lowered)

    def has_key(self, rules: KeyRules, text: str, lowered: str) -> bool:
        """Whether one of the first keys is there, whatever else is asked."""
        return self._any(rules, rules.keys, text, lowered)

    def allows(self, rules: KeyRules, text: str, lowered: str) -> bool:
        """What is asked besides the first keys."""
        if not rules.is_regex and self._any(rules, rules.excluded, text, lowered):
            return False
        if not all(self._any(rules, keys, text, lowered) for keys in rules.additional):
            return False
        if not rules.secondary or rules.is_regex:
            return True
        return _holds(rules.logic, [self._is_in(rules, key, text, lowered) for key in rules.secondary])

    def _any(self, rules: KeyRules, keys: Iterable[str], text: str, lowered: str) -> bool:
        return any(self._is_in(rules, key, text, lowered) for key in keys)

    def _is_in(self, rules: KeyRules, key: str, text: str, lowered: str) -> bool:
        if rules.is_regex or is_pattern(key):
            return self._matches(key if is_pattern(key) else f"/{key}/{'' if rules.is_case_sensitive else 'i'}", text)
        key, text = (key, text) if rules.is_case_sensitive else (key.lower(), lowered)
        return _has_word(text, key) if rules.whole_words else key in text

    def _matches(self, pattern: str, text: str) -> bool:
        compiled = self._patterns.compiled(pattern)
        if compiled is None:
            return False
        if self._left <= 0:
            self.too_slow = True
            return False
        begun = self._clock()
        try:
            return compiled.search(text, timeout=min(_SEARCH_SECONDS, self._left), concurrent=True) is not None
        except TimeoutError:
            self.too_slow = True
            return False
        finally:
            self._left -= self._clock() - begun


def _holds(logic: Logic, found: Sequence[bool]) -> bool:
    match logic:
        case Logic.ANY:
            return any(found)
        case Logic.ALL:
            return all(found)
        case Logic.NOT_ANY:
            return not any(found)
        case Logic.NOT_ALL:
            return not all(found)


def is_pattern(key: str) -> bool:
    """`/text/flags`, as JavaScript writes an expression."""
    _, slash, flags = key[1:].rpartition("/")
    return key.startswith("/") and bool(slash) and all(flag in _FLAGS or flag in _OTHER_FLAGS for flag in flags)


def _compiled(pattern: str) -> regex.Pattern[str] | None:
    body, _, letters = pattern[1:].rpartition("/")
    if not body or len(body) > _LONGEST_PATTERN:
        return None
    flags = regex.V0
    for letter in letters:
        flags |= _FLAGS.get(letter, regex.V0)
    try:
        return regex.compile(body, flags)
    except (regex.error, OverflowError, ValueError, RecursionError):
        return None


def _has_word(text: str, key: str) -> bool:
    """Letters of other words may not touch it."""
    start = text.find(key)
    while start >= 0:
        end = start + len(key)
        if not _is_letter(text[start - 1 : start]) and not _is_letter(text[end : end + 1]):
            return True
        start = text.find(key, start + 1)
    return False


def _is_letter(text: str) -> bool:
    return text.isalnum() or text == "_"
