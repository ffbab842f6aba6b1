"""Guesses that a reply goes on as its prompt or itself did before, after the same few tokens (prompt lookup decoding)."""

from collections.abc import Sequence
from typing import Final

from modules.backends.llamacpp.speculation.source import Ask, Draft

# Longer runs of tokens, tried first, are rarer and more often right.
_LENGTHS: Final = (6, 3)
# A long prompt is looked through in several steps: other replies wait meanwhile.
_READ_TOKENS: Final = 4096


class NgramSource:
    """Needs no model and next to no time."""

    def __init__(self) -> None:
        self._indexes: dict[int, _Index] = {}

    def propose(self, asks: Sequence[Ask], patience: float) -> dict[int, Draft]:
        found = {ask.job_id: self._index(ask).continuation(ask.tokens, ask.most) for ask in asks}
        return {job_id: Draft(tokens, len(tokens)) for job_id, tokens in found.items() if tokens}

    def seconds(self, count: int) -> float:
        return 0.0

    def forget(self, job_id: int) -> None:
        self._indexes.pop(job_id, None)

    def close(self) -> None:
        self._indexes.clear()

    def _index(self, ask: Ask) -> "_Index":
        return self._indexes.setdefault(ask.job_id, _Index())


class _Index:
    """Where what follows each run of tokens begins: the latest place. Runs are known by their hashes, since a wrong guess
    does no harm."""

    def __init__(self) -> None:
        self._places: dict[int, int] = {}
        self._end = 1

    def continuation(self, tokens: Sequence[int], most: int) -> tuple[int, ...]:
        last = min(len(tokens), self._end + _READ_TOKENS)
        for end in range(self._end, last):
            for length in _LENGTHS:
                if end >= length:
                    self._places[_key(tokens[end - length : end])] = end
        self._end = max(self._end, last)
        for length in _LENGTHS:
            place = self._places.get(_key(tokens[-length:])) if len(tokens) > length else None
            if place is not None:
                # What has been repeated up to here goes on in a circle.
                period = len(tokens) - place
                return tuple(tokens[place + at % period] for at in range(most))
        return ()


def _key(run: Sequence[int]) -> int:
    return hash(tuple(run))
