"""The tokens still in the running for one position, in the layout that llama.cpp's samplers work on.

One buffer serves all jobs, because one position is sampled at a time. Samplers that llama.cpp lacks work on the same
buffer through numpy, so that both kinds can follow each other in any order.
"""

import ctypes
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from llama_cpp import llama_cpp as c

from modules.backends.sampling.logprobs import Row

_ENTRY: Final = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Candidates:
    """`ids` and `logits` are views of what remains; `keep` narrows them."""

    def __init__(self, vocabulary: int) -> None:
        self._entries = np.zeros(vocabulary, dtype=_ENTRY)
        self._ids = np.arange(vocabulary, dtype=np.int32)
        self._address = self._entries.ctypes.data
        self._array = c.llama_token_data_array()
        self.pointer = ctypes.byref(self._array)

    def fill(self, row: Row) -> None:
        self._entries["id"] = self._ids
        self._entries["logit"] = row
        self._array.data = ctypes.cast(self._address, ctypes.POINTER(c.llama_token_data))
        self._array.size = len(row)
        self._array.selected = -1
        self._array.sorted = False

    @property
    def size(self) -> int:
        return int(self._array.size)

    @property
    def ids(self) -> npt.NDArray[np.int32]:
        ids: npt.NDArray[np.int32] = self._remaining()["id"]
        return ids

    @property
    def logits(self) -> Row:
        logits: Row = self._remaining()["logit"]
        return logits

    def probabilities(self) -> npt.NDArray[np.float64]:
        logits = self.logits.astype(np.float64)
        weights = np.exp(logits - logits.max())
        probabilities: npt.NDArray[np.float64] = weights / weights.sum()
        return probabilities

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        """Drop the candidates where `mask` is False; if that is all of them, drop none."""
        count = int(mask.sum())
        if count:
            remaining = self._remaining()
            remaining[:count] = remaining[mask]
            self._array.size = count

    def reweigh(self, logits: npt.NDArray[Any]) -> None:
        self._remaining()["logit"] = logits
        self._array.sorted = False

    @property
    def selected(self) -> int | None:
        """The token that a selecting sampler chose, if one ran."""
        chosen = int(self._array.selected)
        return None if chosen < 0 else int(self.ids[chosen])

    def best(self) -> int:
        return int(self.ids[int(self.logits.argmax())])

    def _remaining(self) -> npt.NDArray[np.void]:
        """What is left; llama.cpp's samplers shorten the array at either end."""
        start = (ctypes.addressof(self._array.data.contents) - self._address) // _ENTRY.itemsize
        remaining: npt.NDArray[np.void] = self._entries[start : start + self._array.size]
        return remaining
