"""A reply's constraint, as the library asks for it: which tokens may come next, as bits.

It is asked on a thread of the library's, while the model computes the logits that the answer is for.
"""

from typing import Any

import numpy as np
import torch
from typing_extensions import override

from modules.backends.exllamav3.library import Filter
from modules.engine.constraints.matcher import Guide
from modules.errors import EngineFailed

_WORD_BYTES = 4


class GuideFilter(Filter):  # type: ignore[misc]
    """`ends` are the tokens that end a reply: where nothing may follow, one of them has to. `failure` says why the
    constraint could not be followed any further; the library then takes the reply to be at its end."""

    def __init__(self, tokenizer: Any, guide: Guide, size: int, ends: tuple[int, ...]) -> None:
        super().__init__(tokenizer, None, None, True)
        self._guide = guide
        self._size = size
        self._ends = list(ends)
        self.failure = ""

    @override
    def reset(self) -> None:
        """A guide is of one reply, which begins once."""

    @override
    def accept_token(self, token: int) -> None:
        if token in self._ends and not self._guide.is_allowed(token):
            return
        try:
            self._guide.accept(token)
        except EngineFailed as error:
            self.failure = error.message
        if self._guide.is_free:
            self.is_active = False

    @override
    def is_completed(self) -> bool:
        return bool(self.failure) or self._guide.is_complete

    @override
    def get_next_logit_mask(self) -> torch.Tensor:
        allowed = np.zeros(self._size, dtype=np.bool_)
        try:
            if (forced := self._guide.forced) is not None:
                allowed[forced] = True
            else:
                allowed[:] = self._guide.mask()
        except EngineFailed as error:
            self.failure = error.message
        if not allowed.any():
            allowed[self._ends] = True
        return torch.from_numpy(_packed(allowed))[None]


def _packed(allowed: "np.ndarray[Any, np.dtype[np.bool_]]") -> "np.ndarray[Any, np.dtype[np.int32]]":
    """32 tokens a word, the first in the lowest bit."""
    data = np.packbits(allowed, bitorder="little")
    return np.pad(data, (0, -len(data) % _WORD_BYTES)).view(np.int32)
