"""One job's way from a row of logits to its next token, in numpy: for backends whose library has no samplers."""

from collections.abc import Sequence

import numpy as np

from modules.backends.sampling.candidates import RowCandidates
from modules.backends.sampling.job_sampler import JobSampler
from modules.backends.sampling.logprobs import Distribution, Row
from modules.backends.sampling.penalties import LogitBias
from modules.backends.sampling.selectors import selector_of
from modules.backends.sampling.stages import SamplerFacts, Stages
from modules.engine.constraints.matcher import Guide
from modules.engine.types import Generation
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
        if self._bias is not None:
            row = row.copy()
            self._bias.add_to(row)
        if not row.max() > -np.inf:
            raise EngineFailed("No token can be drawn: biases and bans of the request exclude all of them.")
        return self.draw(row, history)

    def draw(self, row: Row, history: Sequence[int]) -> int:
        """The same where biases and bans are in `row` already."""
        left = self._left = RowCandidates(row)
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


class RowChooser:
    """A `RowSampler` as the chooser of a job, whose growing `history` it reads."""

    def __init__(self, sampler: RowSampler, history: Sequence[int]) -> None:
        self._sampler = sampler
        self._history = history

    def choose(self, row: Row, *, reports: bool) -> tuple[int, Distribution | None]:
        token = self._sampler.draw(row, self._history)
        return token, self._sampler.remaining if reports else None

    def accept(self, token: int) -> None:
        self._sampler.accept(token)

    def close(self) -> None:
        pass


def sampler_of_rows(
    generation: Generation,
    history: Sequence[int],
    facts: SamplerFacts,
    ends: tuple[int, ...],
    guide: Guide | None = None,
) -> JobSampler:
    """All that a backend without samplers of its own needs for one job, with its constraint.

    `history` is the job's growing list of tokens, prompt first; it is read, never changed.
    """
    sampler = RowSampler(generation.sampling, facts, generation.sampling.seed)
    return JobSampler(generation, RowChooser(sampler, history), ends, guide)
