"""From raw logits to the next token of one job, whatever draws it: biases, bans, the end's time and constraints."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from modules.backends.sampling.logprobs import Distribution, Row, ShowsTokens, from_distribution, from_logits
from modules.backends.sampling.penalties import LogitBias
from modules.engine.constraints.grammar_matcher import Mask
from modules.engine.constraints.matcher import Guide
from modules.engine.types import Generation, TokenLogprob
from modules.errors import EngineFailed


class Chooser(Protocol):
    """The samplers of one job, for rows in which some logit is above -inf."""

    def choose(self, row: Row, *, reports: bool) -> tuple[int, Distribution | None]:
        """The next token and, if `reports`, what the samplers left to choose it from. `row` stays as it is."""
        ...

    def accept(self, token: int) -> None:
        """`token` is now part of the reply; not every one that was chosen becomes so."""
        ...

    def close(self) -> None: ...


class JobSampler:
    """Draws tokens for one job. `ends` are the tokens that end a reply. Owns `chooser`, and `close` closes it."""

    def __init__(
        self, generation: Generation, chooser: Chooser, ends: tuple[int, ...], guide: Guide | None = None
    ) -> None:
        self._generation = generation
        self._chooser = chooser
        self._guide = guide
        self._bias = LogitBias.of(generation.sampling)
        self._ends = np.asarray(ends, dtype=np.int64)
        self._count = 0
        self.remaining: Distribution | None = None

    def sample(self, row: Row) -> int:
        """The next token; `row`, the raw logits, is changed by biases, bans and what the guide refuses.

        Afterwards `remaining` holds what the samplers left to choose from, if the job wants to know. Raises
        EngineFailed when everything is banned, or the constraint cannot be followed any further.
        """
        if self._guide is not None and not self._guide.is_free:
            return self._guided(row, self._guide)
        self._apply_bias(row)
        if self._is_empty(row):
            raise EngineFailed("No token can be drawn: logit_bias and custom_token_bans exclude all of them.")
        return self._draw(row)

    def take(self, row: Row, tokenizer: ShowsTokens) -> tuple[int, TokenLogprob | None]:
        """The next token, accepted, and its log-probabilities where the job wants them: of the raw logits, or of what the
        samplers left. Raises as `sample` and `accept` do."""
        wanted = self._generation.logprobs
        raw = row.copy() if wanted is not None and not self._generation.sampled_logprobs else row
        token = self.sample(row)
        self.accept(token)
        if wanted is None:
            return token, None
        if self.remaining is not None:
            return token, from_distribution(self.remaining, token, wanted, tokenizer)
        return token, from_logits(raw, token, wanted, tokenizer)

    @property
    def is_guided(self) -> bool:
        """Whether something is refused, or may be later."""
        return self._guide is not None and not self._guide.is_free

    @property
    def is_complete(self) -> bool:
        """True when the reply has to end where it is, because nothing may follow."""
        return self._guide is not None and self._guide.is_complete

    def forced(self) -> Sequence[int]:
        """The tokens that come next whatever the model says. Where there are biases, they may choose how the text that a
        constraint forces is spelt."""
        guide = self._guide
        if guide is None or not self.is_guided:
            return ()
        if guide.forced is not None:
            return (guide.forced,)
        return guide.forced_answer() if self._bias is None else ()

    def count_allowed(self, tokens: Sequence[int]) -> int:
        """How many of `tokens` the constraint could take."""
        return len(tokens) if self._guide is None else self._guide.count_allowed(tokens)

    def accept(self, token: int) -> None:
        """`token` is now part of the reply, or its end. Raises EngineFailed when no constraint could go on from it."""
        if self._guide is not None:
            self._guide.accept(token)
        self._count += 1
        self._chooser.accept(token)

    def close(self) -> None:
        self._chooser.close()

    def _guided(self, row: Row, guide: Guide) -> int:
        """Sampled first, and from what is allowed only if the token is refused: most never are, and masks cost time.

        Mirostat learns from every draw, and reported distributions are of what is allowed: there the mask comes first.
        """
        generation = self._generation
        if forced := self.forced():
            self.remaining = certain(forced[0]) if generation.sampled_logprobs else None
            return forced[0]
        raw = row.copy() if self._bias is not None or self._bans_end else row
        self._apply_bias(row)
        if not generation.sampling.mirostat_mode and not generation.sampled_logprobs and not self._is_empty(row):
            token = self._draw(row)
            if guide.is_allowed(token):
                return token
        allowed = guide.mask()
        row[~allowed] = -np.inf
        token = self._draw(row) if row.max() > -np.inf else int(self._ends[0])
        return token if allowed[token] and row[token] > -np.inf else self._last_resort(raw, allowed)

    def _last_resort(self, raw: Row, allowed: Mask) -> int:
        """Where biases and samplers ban all that is allowed, the constraint wins: the end, or else the likeliest."""
        ends = self._ends[allowed[self._ends]]
        likely = np.where(allowed, raw, -np.inf)
        token = int(ends[likely[ends].argmax()]) if len(ends) else int(likely.argmax())
        self.remaining = certain(token) if self._generation.sampled_logprobs else None
        return token

    def _draw(self, row: Row) -> int:
        token, self.remaining = self._chooser.choose(row, reports=self._generation.sampled_logprobs)
        return token

    def _apply_bias(self, row: Row) -> None:
        if self._bias is not None:
            self._bias.add_to(row)
        if self._bans_end:
            row[self._ends] = -np.inf

    def _is_empty(self, row: Row) -> bool:
        return self._bias is not None and not row.max() > -np.inf

    @property
    def _bans_end(self) -> bool:
        return self._generation.ignore_eos or self._count < self._generation.min_tokens


def certain(token: int) -> Distribution:
    return np.asarray([token]), np.zeros(1)
