"""Which tokens a piece of a reply's text belongs to."""

from collections import deque
from dataclasses import dataclass, field

from modules.engine.types import Chunk, TokenLogprob


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
        # One further: a last token that added no text begins exactly at the end.
        return self._before(self._fed + 1)

    def _before(self, place: int) -> Tokens:
        tokens = Tokens()
        while self._entries and self._entries[0][0] < place:
            _, token, logprob = self._entries.popleft()
            tokens.ids.append(token)
            if logprob is not None:
                tokens.logprobs.append(logprob)
        return tokens
