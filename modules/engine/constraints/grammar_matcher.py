"""The constrained part of one reply: an llguidance matcher, in the words of a sampler."""

from collections import deque
from collections.abc import Sequence
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
        self._forced: deque[int] | None = None

    @property
    def is_complete(self) -> bool:
        """True once nothing but the end can follow."""
        return self._matcher.is_stopped() and not self._matcher.is_error()

    def is_allowed(self, token: int) -> bool:
        if token in self._end_ids:
            return bool(self._matcher.is_accepting())
        return bool(self._matcher.validate_tokens([token]) == 1)

    def forced(self) -> Sequence[int]:
        """The tokens that have to come next because no other text can, spelt as the model's tokenizer spells it: up to
        the last one that could go on into a longer token."""
        if self._forced is None:
            self._forced = deque(() if self._matcher.is_stopped() else self._matcher.compute_ff_tokens())
        return self._forced

    def count_allowed(self, tokens: Sequence[int]) -> int:
        """How many of `tokens` could come next, one after the other."""
        end = next((at for at, token in enumerate(tokens) if token in self._end_ids), len(tokens))
        return int(self._matcher.validate_tokens(list(tokens[:end])))

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
        is_next = bool(self._forced) and self._forced is not None and self._forced.popleft() == token
        if not is_next or not self._forced:
            self._forced = None

    def restart(self) -> None:
        """Nothing of what was accepted counts."""
        self._matcher.reset()
        self._forced = None

    def _check(self) -> None:
        if self._matcher.is_error():
            raise EngineFailed(_TOO_COMPLEX)
