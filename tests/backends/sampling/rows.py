"""Rows of logits for tests, and the textbook formulas for what becomes of them."""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from modules.backends.sampling.candidates import CandidateSet, RowCandidates
from modules.backends.sampling.logprobs import Row

Weights: TypeAlias = dict[int, float]
IMPOSSIBLE = -math.inf

# Multiples of 1/8 are exact in single precision, so that ties are ties.
logit_lists = st.lists(st.integers(-80, 80).map(lambda n: n / 8), min_size=1, max_size=24)
with_impossible = st.lists(
    st.one_of(st.integers(-80, 80).map(lambda n: n / 8), st.just(IMPOSSIBLE)), min_size=1, max_size=24
).filter(lambda logits: any(map(math.isfinite, logits)))


def row(logits: Sequence[float]) -> Row:
    return np.asarray(logits, dtype=np.float32)


def filled(logits: Sequence[float]) -> RowCandidates:
    return RowCandidates(row(logits))


def ids_of(candidates: CandidateSet) -> set[int]:
    return set(candidates.ids.tolist())


def logits_of(candidates: CandidateSet) -> Weights:
    return dict(zip(candidates.ids.tolist(), candidates.logits.tolist(), strict=True))


def softmax(logits: Weights) -> Weights:
    highest = max(logits.values())
    weights = {token: math.exp(value - highest) for token, value in logits.items()}
    total = sum(weights.values())
    return {token: weight / total for token, weight in weights.items()}


def probabilities(logits: Sequence[float]) -> Weights:
    return softmax(dict(enumerate(logits)))


def entropy(weights: Weights) -> float:
    return -sum(p * math.log(p) for p in weights.values() if p > 0)


def likeliest_first(weights: Weights) -> list[int]:
    return sorted(weights, key=lambda token: (-weights[token], token))


def nucleus(weights: Weights, p: float) -> set[int]:
    """The fewest likeliest tokens whose probabilities sum to `p`."""
    return set(until(likeliest_first(weights), weights, p))


def typical(weights: Weights, p: float) -> set[int]:
    """The same in the order of how far a token's surprise is from the expected one (arXiv:2202.00666)."""
    expected = entropy(weights)
    order = sorted(
        (token for token in weights if weights[token] > 0), key=lambda t: abs(-math.log(weights[t]) - expected)
    )
    return set(until(order, weights, p))


def until(order: Iterable[int], weights: Weights, p: float) -> list[int]:
    kept: list[int] = []
    total = 0.0
    for token in order:
        kept.append(token)
        total += weights[token]
        if total >= p:
            break
    return kept


def tail_free(weights: Weights, z: float) -> set[int]:
    order = likeliest_first(weights)
    sorted_weights = [weights[token] for token in order]
    slopes = [b - a for a, b in itertools.pairwise(sorted_weights)]
    bends = [abs(b - a) for a, b in itertools.pairwise(slopes)]
    if not bends or sum(bends) == 0:
        return set(order)
    kept, total = 1, 0.0
    for bend in bends:
        total += bend / sum(bends)
        if total > z:
            break
        kept += 1
    return set(order[:kept])


def as_array(weights: Weights) -> npt.NDArray[np.float64]:
    return np.asarray([weights[token] for token in sorted(weights)])
