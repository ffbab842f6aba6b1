"""The texts that a tokenizer reads as control tokens, ready to be found in prompts and replies."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType


class ControlTexts:
    """Built once for each model, since some have thousands; safe to share."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._sorted = sorted(filter(None, texts))
        self._texts = frozenset(self._sorted)
        # Longest first: of two texts that begin at one place the longer one is meant.
        self._lengths = sorted({len(text) for text in self._texts}, reverse=True)
        initials = "".join(sorted({re.escape(text[0]) for text in self._texts}))
        self._initial = re.compile(f"[{initials}]") if initials else None
        self.letters: Mapping[int, None] = MappingProxyType({ord(text): None for text in self._texts if len(text) == 1})

    def __bool__(self) -> bool:
        return bool(self._texts)

    def __contains__(self, text: str) -> bool:
        return text in self._texts

    def starts(self, text: str) -> Iterator[int]:
        """Every place in `text` where one begins, also within another one."""
        if self._initial is not None:
            yield from (match.start() for match in self._initial.finditer(text) if self._length_at(text, match.start()))

    def begins_at(self, text: str, place: int) -> bool:
        """Whether one begins there."""
        return place < len(text) and self._length_at(text, place) > 0

    def occur_in(self, text: str) -> bool:
        return self.removed_from(text)[0] != text

    def removed_from(self, text: str) -> tuple[str, str]:
        """`text` without control texts, and what of its end may be the beginning of one."""
        kept: list[str] = []
        place = 0
        while (match := self._next(text, place)) is not None:
            start = match.start()
            length = self._length_at(text, start)
            if not length and self._may_begin(text, start):
                kept.append(text[place:start])
                return "".join(kept), text[start:]
            kept.append(text[place : start + (not length)])
            place = start + (length or 1)
        kept.append(text[place:])
        return "".join(kept), ""

    def _length_at(self, text: str, start: int) -> int:
        """Of the longest one that begins there; 0 for none."""
        return next((length for length in self._lengths if text[start : start + length] in self._texts), 0)

    def _next(self, text: str, place: int) -> "re.Match[str] | None":
        return self._initial.search(text, place) if self._initial else None

    def _may_begin(self, text: str, start: int) -> bool:
        if len(text) - start >= self._lengths[0]:
            return False
        tail = text[start:]
        place = bisect_left(self._sorted, tail)
        return place < len(self._sorted) and self._sorted[place].startswith(tail)
