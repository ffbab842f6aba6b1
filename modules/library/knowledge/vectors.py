"""Vectors of passages: kept as 16-bit floats, compared by brute force. Pure."""

from collections.abc import Sequence
from typing import Final

import numpy as np

# All rows at once as 32-bit floats would take twice the memory of the index.
_ROWS_AT_ONCE: Final = 8192


def nearest(question: bytes, numbers: Sequence[int], vectors: bytes, limit: int) -> list[int]:
    """Those of `numbers` whose vectors have the largest cosine with `question`, which is in 32-bit floats of length 1;
    `vectors` are 16-bit ones. Vectors of another size than the question's count for nothing."""
    asked = np.frombuffer(question, np.float32)
    if not numbers or len(vectors) != 2 * len(numbers) * len(asked):
        return []
    rows = np.frombuffer(vectors, np.float16).reshape(len(numbers), len(asked))
    starts = range(0, len(rows), _ROWS_AT_ONCE)
    scores = np.concatenate([rows[start : start + _ROWS_AT_ONCE].astype(np.float32) @ asked for start in starts])
    best = np.argsort(-scores, kind="stable")[:limit]
    return [numbers[place] for place in best]


def half_floats(vector: bytes) -> bytes:
    """32-bit floats as 16-bit ones."""
    return np.frombuffer(vector, np.float32).astype(np.float16).tobytes()
