"""How passages that were found in several ways come into one order. Pure."""

import importlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, Protocol, cast

# Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion outperforms Condorcet …": the value of the paper.
_K: Final = 60


class VectorSearch(Protocol):
    """What `modules.library.knowledge.vectors` has."""

    def nearest(self, question: bytes, numbers: Sequence[int], vectors: bytes, limit: int) -> list[int]: ...
    def half_floats(self, vector: bytes) -> bytes: ...


def vector_search() -> VectorSearch:
    """Imported when there are vectors: numpy is slow to load, and most have none."""
    return cast(VectorSearch, importlib.import_module("modules.library.knowledge.vectors"))


def fused(*rankings: Sequence[int]) -> list[int]:
    """By reciprocal rank fusion: what stands high in several rankings comes first. Ties keep the order of the first."""
    scores: defaultdict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, number in enumerate(ranking, 1):
            scores[number] += 1 / (_K + rank)
    return sorted(scores, key=lambda number: -scores[number])
