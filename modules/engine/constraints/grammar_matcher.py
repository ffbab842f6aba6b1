"""The constrained part of one reply: an llguidance matcher, in the words of a sampler."""

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from llguidance import LLMatcher

from modules.engine.constraints.vocabulary import Vocabulary
from modules.errors import EngineFailed

Mask: TypeAlias = npt.NDArray[np.bool_]
_TOO_COMPLEX: Final = (
    "The reply broke off: its schema or grammar became too complex to go on with. Make it simpler: fewer optional "
    "properties and alternatives, shorter patterns."
)


class GrammarMatcher:
    """What may follow in a reply that must match one grammar. It owns `matcher`."""

    def __init__(self, vocabulary: Vocabulary, matcher: LLMatcher) -> None:
        self._size = vocabulary.size
        self._end_ids = vocabulary.end_ids
        self._ends = np.asarray(sorted(vocabulary.end_ids), dtype=np.int64)
        self._matcher = matcher

    @property
    def is_complete(self) -> bool:
        """True once nothing but the end can follow."""
        return self._matcher.is_stopped() and not self._matcher.is_error()

    def is_allowed(self, token: int) -> bool:
        if token in self._end_ids:
            return bool(self._matcher.is_accepting())
        return bool(self._matcher.validate_tokens([token]) == 1)

    def mask(self) -> Mask:
        """One value per token of the vocabulary, True where it may come next. Raises EngineFailed."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        mask: npt.NDArray[Any] = np.unpackbits(bits, count=self._size, bitorder="little").view(np.bool_)
        mask[self._ends] = self._matcher.is_accepting()
        return mask

    def accept(self, token: int) -> None:
        """Raises EngineFailed when the grammar cannot be followed any further."""
        if token not in self._end_ids:
            self._matcher.consume_token(token)
            self._check()

    def restart(self) -> None:
        """Nothing of what was accepted counts."""
        self._matcher.reset()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise EngineFailed(_TOO_COMPLEX)
