"""Which text of a reply each of its tokens belongs to, when the text is divided among several events."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from modules.engine.types import Chunk, TokenLogprob

_CONTINUES: Final = 0b10
_CONTINUES_SHIFT: Final = 6


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one event, with their logprobs where those were asked for."""

    ids: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.ids or self.logprobs)


class TokenLedger:
    """Tokens in the order of the reply; each belongs to the text in which its own begins.

    Where that is within a chunk is known from the tokens' bytes when logprobs were asked for. Without, a chunk's tokens
    are taken to be equally long.
    """

    def __init__(self) -> None:
        self._entries: deque[tuple[int, int, TokenLogprob | None]] = deque()
        self._fed = 0
        self._taken = 0

    def add(self, chunk: Chunk) -> None:
        starts = _starts_by_bytes(chunk) if len(chunk.logprobs) == len(chunk.tokens) else _equal_starts(chunk)
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


def _equal_starts(chunk: Chunk) -> Iterator[int]:
    count = len(chunk.tokens)
    return (number * len(chunk.text) // count for number in range(count))


def _starts_by_bytes(chunk: Chunk) -> Iterator[int]:
    last = max(0, len(chunk.text) - 1)
    characters = 0
    for logprob in chunk.logprobs:
        continues = bool(logprob.data) and _continues(logprob.data[0])
        yield min(last, max(0, characters - continues))
        characters += sum(not _continues(byte) for byte in logprob.data)


def _continues(byte: int) -> bool:
    """Whether a byte of UTF-8 goes on with a character that an earlier byte began."""
    return byte >> _CONTINUES_SHIFT == _CONTINUES
