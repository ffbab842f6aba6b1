"""The unread part of a reply, and parsers as coroutines that wait for more of it."""

import re
from collections.abc import Callable, Generator, Iterable
from typing import TypeAlias, TypeVar

from modules.reply.tool_format import CallArguments, Piece


class MarkerScanner:
    """Finds the first of `markers`, none of which is the beginning of another."""

    def __init__(self, markers: Iterable[str]) -> None:
        known = tuple(markers)
        self._whole = re.compile("|".join(map(re.escape, known)) or r"(?!)")
        self._beginnings = frozenset(marker[:length] for marker in known for length in range(1, len(marker)))
        self._longest = max(map(len, self._beginnings), default=0)

    def find(self, text: str, start: int) -> tuple[int, str]:
        """Where text from `start` on stops being sure to be no marker, and the marker that stands there, if complete."""
        found = self._whole.search(text, start)
        if found is not None:
            return found.start(), found.group()
        # The longest beginning first: a shorter one inside it would release text that belongs to the marker.
        for length in range(min(self._longest, len(text) - start), 0, -1):
            if text[-length:] in self._beginnings:
                return len(text) - length, ""
        return len(text), ""


T = TypeVar("T")

# Yields what became certain, or None where it needs more of the reply to go on.
Steps: TypeAlias = Generator[Piece | None, None, T]


class NotACall(Exception):
    """What stands here is not how the format writes a call."""


class ReplyEnded(Exception):
    """The reply is over where more of it was needed."""


def collected(steps: Steps[object]) -> Steps[str]:
    """The arguments that `steps` would give, held back and joined."""
    parts = []
    for piece in steps:
        if piece is None:
            yield None
        elif isinstance(piece, CallArguments):
            parts.append(piece.text)
    return "".join(parts)


def led_by(lead: str, steps: Steps[None]) -> Steps[None]:
    """`steps` with the arguments text `lead` before the first piece; nothing where they give none."""
    for piece in steps:
        if piece is not None and lead:
            yield CallArguments(lead)
            lead = ""
        yield piece


_SPACE = re.compile(r"\s*")


class ReplySource:
    """Text that grows by `append` and shrinks by being read.

    After `mark`, what is read is remembered, so that it can be given back as text when no call comes of it.
    Every reading method raises ReplyEnded where the reply is over and it needs more. `openers` and
    `closers` stand before and behind the calls of the format.
    """

    def __init__(self, text: str = "", openers: tuple[str, ...] = (), closers: tuple[str, ...] = ()) -> None:
        self.openers = openers
        self.closers = closers
        self._text = text
        self._at = 0
        self._ended = False
        self._is_cut = False
        self._read: list[str] | None = None

    def append(self, text: str) -> None:
        # What has been read is dropped here, so that a long reply is not copied again for each chunk.
        self._text = self._text[self._at :] + text
        self._at = 0

    def end(self, *, is_cut: bool = False) -> None:
        """Nothing follows; with `is_cut` the model had more to say."""
        self._ended = True
        self._is_cut = is_cut

    @property
    def is_finished(self) -> bool:
        """Whether the model itself ended the reply, so that a closer that is missing was forgotten."""
        return self._ended and not self._is_cut

    def mark(self, read: str = "") -> None:
        """Remembers what is read from here on, behind `read`."""
        self._read = [read]

    def commit(self) -> None:
        """Forgets what was remembered: it was a call, or part of one that is complete."""
        self._read = None

    @property
    def is_marked(self) -> bool:
        return self._read is not None

    def unread(self) -> str:
        """What was read since `mark`, which is over with this."""
        text = "".join(self._read or ())
        self._read = None
        return text

    def take(self, length: int) -> str:
        taken = self._text[self._at : self._at + length]
        self._at += length
        if self._read is not None:
            self._read.append(taken)
        return taken

    def put_back(self, text: str) -> None:
        """Makes `text`, which was read last, the next to be read."""
        if self._at >= len(text):
            self._at -= len(text)
        else:
            self._text, self._at = text + self._text[self._at :], 0
        length = len(text)
        while self._read and length > 0:
            piece = self._read.pop()
            if len(piece) > length:
                self._read.append(piece[:-length])
            length -= len(piece)

    def take_rest(self) -> str:
        return self.take(len(self._text) - self._at)

    def peek(self) -> Steps[str]:
        """The next character, which stays to be read."""
        while self._at == len(self._text):
            yield from self._more()
        return self._text[self._at]

    def run(self, characters: re.Pattern[str]) -> Steps[str]:
        """All of the following text that `characters`, a repeated character class, matches."""
        parts = []
        while True:
            found = characters.match(self._text, self._at)
            parts.append(self.take(found.end() - self._at if found else 0))
            if self._at < len(self._text):
                return "".join(parts)
            yield from self._more()

    def space(self) -> Steps[str]:
        return (yield from self.run(_SPACE))

    def literal(self, *options: str) -> Steps[str]:
        """The longest of `options` that comes next, read, or "" if none does."""
        while True:
            rest = self._text[self._at : self._at + max(map(len, options))]
            found = max((option for option in options if rest.startswith(option)), key=len, default="")
            # An option that has come only in part may yet become the longest one.
            may_grow = any(len(option) > len(rest) and option.startswith(rest) for option in options)
            if not may_grow or (found and self._ended):
                return self.take(len(found))
            yield from self._more()

    def begins(self, *options: str) -> Steps[bool]:
        """Whether one of `options` comes next, which stays to be read."""
        found = yield from self.literal(*options)
        self.put_back(found)
        return bool(found)

    def expect(self, *options: str) -> Steps[str]:
        """The longest of `options` that comes next, read.

        Raises:
            NotACall: none does.
        """
        found = yield from self.literal(*options)
        if not found:
            raise NotACall
        return found

    def until(self, scanner: MarkerScanner, piece: Callable[[str], Piece]) -> Steps[str]:
        """Gives on as `piece` what comes before the next marker; the marker, read."""
        while True:
            end, marker = scanner.find(self._text, self._at)
            if end > self._at:
                yield piece(self.take(end - self._at))
            if marker:
                return self.take(len(marker))
            yield from self._more()

    def _more(self) -> Steps[None]:
        if self._ended:
            raise ReplyEnded
        yield None
