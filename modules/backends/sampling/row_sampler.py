"""One job's way from a row of logits to its next token, in numpy: for backends whose library has no samplers."""

from collections.abc import Sequence

import numpy as np

from modules.backends.sampling.candidates import RowCandidates
from modules.backends.sampling.logprobs import Distribution, Row
from modules.backends.sampling.penalties import LogitBias
from modules.backends.sampling.selectors import selector_of
from modules.backends.sampling.stages import SamplerFacts, Stages
from modules.errors import EngineFailed
from modules.sampling import Sampling


class RowSampler:
    """Draws tokens for one job; `seed` None draws one, and the same seed draws the same tokens from the same rows.

    Rows may have -inf in any place, where nothing shall be drawn.
    """

    def __init__(self, sampling: Sampling, facts: SamplerFacts, seed: int | None) -> None:
        self._bias = LogitBias.of(sampling)
        self._stages = Stages[RowCandidates](sampling, facts, seed).build()
        self._sampling = sampling
        self._selector = selector_of(sampling, seed, facts.vocabulary)
        self._left: RowCandidates | None = None

    def sample(self, row: Row, history: Sequence[int]) -> int:
        """The next token after `history`, which begins with the prompt. `row` stays as it is.

        Raises EngineFailed when all tokens are banned.
        """
        left = self._left = self._candidates(row)
        if not left.logits.max() > -np.inf:
            raise EngineFailed("No token can be drawn: biases and bans of the request exclude all of them.")
        for stage in self._stages:
            stage(left, history)
        return self._selector.select(left.ids, left.logits)

    def accept(self, token: int) -> None:
        """`token`, drawn last, is now part of the reply."""
        self._selector.accept(token)

    @property
    def remaining(self) -> Distribution:
        """What the last token was drawn from: ids and log-probabilities, which mirostat and adaptive_p change further
        when they draw; of a greedy job its one token."""
        if self._left is None:
            raise RuntimeError("nothing was sampled yet")
        ids, exact = self._left.ids, self._left.logits.astype(np.float64)
        if self._sampling.is_greedy:
            return np.asarray([self._selector.select(ids, self._left.logits)]), np.zeros(1)
        highest = float(exact.max())
        return ids, exact - (highest + float(np.log(np.exp(exact - highest).sum())))

    def _candidates(self, row: Row) -> RowCandidates:
        if self._bias is None:
            return RowCandidates(row)
        biased = row.copy()
        self._bias.add_to(biased)
        return RowCandidates(biased)
