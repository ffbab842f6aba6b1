"""Text that comes in pieces: what to hold back at its end, what is never shown, which token it belongs to."""

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from modules.engine.types import Chunk, TokenLogprob


def overlap(text: str, mark: str) -> int:
    """The length of the longest end of `text` that is a beginning of `mark`, and not all of it."""
    longest = min(len(mark) - 1, len(text))
    return next((length for length in range(longest, 0, -1) if text.endswith(mark[:length])), 0)


class BlankHolder:
    """Passes text on, but keeps the blanks at its end back until it is known what follows them."""

    def __init__(self) -> None:
        self._blanks: list[str] = []

    def feed(self, text: str) -> str:
        body = text.rstrip()
        if not body:
            self._blanks.append(text)
            return ""
        passed = self.take() + body
        self._blanks.append(text[len(body) :])
        return passed

    def take(self) -> str:
        """The blanks, which are no longer held."""
        blanks = "".join(self._blanks)
        self._blanks.clear()
        return blanks


class ControlTexts:
    """The texts of a model's control tokens, ready to be found in what it prints."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._sorted = sorted(filter(None, texts))
        self._texts = frozenset(self._sorted)
        self._lengths = sorted({len(text) for text in self._texts}, reverse=True)
        initials = "".join(sorted({re.escape(text[0]) for text in self._texts}))
        self._initial = re.compile(f"[{initials}]") if initials else None

    def __bool__(self) -> bool:
        return bool(self._texts)

    def occur_in(self, text: str) -> bool:
        return self.removed_from(text)[0] != text

    def removed_from(self, text: str) -> tuple[str, str]:
        """`text` without control texts, and what of its end may be the beginning of one."""
        kept: list[str] = []
        place = 0
        while (match := self._next(text, place)) is not None:
            start = match.start()
            length = next((length for length in self._lengths if text[start : start + length] in self._texts), 0)
            if not length and self._may_begin(text, start):
                kept.append(text[place:start])
                return "".join(kept), text[start:]
            kept.append(text[place : start + (not length)])
            place = start + (length or 1)
        kept.append(text[place:])
        return "".join(kept), ""

    def _next(self, text: str, place: int) -> "re.Match[str] | None":
        return self._initial.search(text, place) if self._initial else None

    def _may_begin(self, text: str, start: int) -> bool:
        if len(text) - start >= self._lengths[0]:
            return False
        tail = text[start:]
        place = bisect_left(self._sorted, tail)
        return place < len(self._sorted) and self._sorted[place].startswith(tail)


class ControlFilter:
    """Takes the texts of control tokens out of text that comes in pieces."""

    def __init__(self, controls: ControlTexts) -> None:
        self._controls = controls
        self._has_controls = bool(controls)
        self._held = ""

    def feed(self, text: str) -> str:
        if not self._has_controls:
            return text
        shown, self._held = self._controls.removed_from(self._held + text)
        return shown

    def take(self) -> str:
        """What was held back, when nothing follows it."""
        held, self._held = self._held, ""
        return held


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one event, with their logprobs where those were asked for."""

    ids: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.ids or self.logprobs)


class TokenLedger:
    """Tokens in the order of the reply; each belongs to the text in which its own begins, however chunks were cut."""

    def __init__(self) -> None:
        self._entries: deque[tuple[int, int, TokenLogprob | None]] = deque()
        self._fed = 0
        self._taken = 0

    def add(self, chunk: Chunk) -> None:
        starts = chunk.starts or (0,) * len(chunk.tokens)
        logprobs = chunk.logprobs or (None,) * len(chunk.tokens)
        self._entries.extend(
            (self._fed + start, token, logprob)
            for start, token, logprob in zip(starts, chunk.tokens, logprobs, strict=True)
        )
        self._fed += len(chunk.text)

    def take(self, length: int) -> Tokens:
        """The tokens of the next `length` characters."""
        self._taken = min(self._taken + length, self._fed)
        return self._before(self._taken)

    def take_all(self) -> Tokens:
        """The tokens of everything that was fed so far."""
        self._taken = self._fed
        return self._before(self._fed + 1)

    def _before(self, place: int) -> Tokens:
        tokens = Tokens()
        while self._entries and self._entries[0][0] < place:
            _, token, logprob = self._entries.popleft()
            tokens.ids.append(token)
            if logprob is not None:
                tokens.logprobs.append(logprob)
        return tokens
