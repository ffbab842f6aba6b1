"""The tokens still in the running for one position, with their logits.

Samplers work on any `CandidateSet`: on a plain row of logits, or on a buffer that a backend's own library reads too.
"""

from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from modules.backends.sampling.logprobs import Row

Ids: TypeAlias = npt.NDArray[np.int32]
Mask: TypeAlias = npt.NDArray[np.bool_]
Probabilities: TypeAlias = npt.NDArray[np.float64]
_BLOCK = 8192


class CandidateSet(Protocol):
    """`ids` and `logits` belong together by position; neither is empty, and some logit is above -inf."""

    @property
    def ids(self) -> Ids: ...

    @property
    def logits(self) -> Row: ...

    def keep(self, mask: Mask) -> None:
        """Drop the candidates where `mask` is False; if that is all of them, drop none."""
        ...

    def reweigh(self, logits: npt.NDArray[Any]) -> None:
        """Give the candidates other logits, in the order of `ids`."""
        ...


class RowCandidates:
    """Candidates from arrays, which are never changed. Without `ids` a token's id is its position in the row."""

    def __init__(self, row: Row, ids: Ids | None = None) -> None:
        self._logits = row
        self._ids = np.arange(len(row), dtype=np.int32) if ids is None else ids

    @property
    def ids(self) -> Ids:
        return self._ids

    @property
    def logits(self) -> Row:
        return self._logits

    def keep(self, mask: Mask) -> None:
        if mask.any():
            self._ids, self._logits = self._ids[mask], self._logits[mask]

    def reweigh(self, logits: npt.NDArray[Any]) -> None:
        self._logits = logits.astype(np.float32)


def probabilities(logits: Row) -> Probabilities:
    """The softmax, in double precision."""
    weights = logits.astype(np.float64)
    # In place: fresh memory of a vocabulary's size costs more than the arithmetic.
    weights -= weights.max()
    np.exp(weights, out=weights)
    weights /= weights.sum()
    return weights


def entropy(shares: Probabilities) -> float:
    """In nats; impossible tokens count as nothing."""
    total = 0.0
    # In blocks that stay in the processor's cache, instead of further arrays of a vocabulary's size.
    for start in range(0, len(shares), _BLOCK):
        block = shares[start : start + _BLOCK]
        positive = block[block > 0]
        total -= float((positive * np.log(positive)).sum())
    return total
