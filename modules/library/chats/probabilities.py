"""How likely each token of a reply was, and what could have stood there."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import orjson

# About a hundred bytes each; what a longer reply says behind them is kept without.
MAX_TOKENS: Final = 4096
# Of the natural logarithm; a probability of 0 has none.
_DIGITS: Final = 3
_LEAST: Final = -99.0

# A text, None for bytes that are no whole characters, and the natural logarithm of its probability.
Candidate: TypeAlias = tuple[str | None, float]


@dataclass(frozen=True, slots=True)
class ScoredToken:
    """A token that begins at the character `start` of a reply's text, thought included. `candidates` are the most likely
    ones at its place, best first, itself not always among them."""

    start: int
    logprob: float
    candidates: tuple[Candidate, ...] = ()


def packed(tokens: Iterable[ScoredToken]) -> str:
    """As one line, which other programs keep as it is; empty for no tokens."""
    rows = [[token.start, _rounded(token.logprob), _flat(token.candidates)] for token in tokens]
    return orjson.dumps(rows[:MAX_TOKENS]).decode() if rows else ""


def unpacked(text: str) -> tuple[ScoredToken, ...]:
    """Nothing where anybody has written something else there."""
    if not text:
        return ()
    try:
        return tuple(_token(row) for row in orjson.loads(text)[:MAX_TOKENS])
    except (ValueError, TypeError, KeyError):
        return ()


def _token(row: object) -> ScoredToken:
    match row:
        case [int(start), int() | float() as logprob, list(flat)] if start >= 0:
            return ScoredToken(start, float(logprob), tuple(_candidates(flat)))
        case _:
            raise ValueError


def _candidates(flat: list[object]) -> Iterator[Candidate]:
    for text, logprob in zip(flat[::2], flat[1::2], strict=True):
        if not isinstance(text, str | None) or not isinstance(logprob, int | float):
            raise ValueError
        yield text, float(logprob)


def _flat(candidates: Iterable[Candidate]) -> list[str | float | None]:
    return [value for text, logprob in candidates for value in (text, _rounded(logprob))]


def _rounded(logprob: float) -> float:
    # `not` keeps what is no number out as well.
    return round(logprob, _DIGITS) if logprob > _LEAST else _LEAST
