"""One job's way from logits to its next token: the samplers it asked for, in the order it asked for."""

from typing import Any

import numpy as np
from llama_cpp import llama_cpp as c

from modules.backends.llamacpp.candidates import Candidates
from modules.backends.llamacpp.native_stages import NativeStages, SamplerVocabulary
from modules.backends.sampling.logprobs import Distribution, Row
from modules.backends.sampling.penalties import LogitBias
from modules.engine.constraints.grammar_matcher import Mask
from modules.engine.constraints.matcher import Guide
from modules.engine.types import Generation


class Sampler:
    """Draws tokens for one job. `close` frees what llama.cpp holds for it.

    `history` is the job's growing list of tokens, prompt first; it is read, never changed.
    """

    def __init__(
        self, generation: Generation, history: list[int], vocabulary: SamplerVocabulary, guide: Guide | None = None
    ) -> None:
        self._guide = guide
        self._generation = generation
        self._sampling = generation.sampling
        self._history = history
        self.remaining: Distribution | None = None
        self._bias = LogitBias.of(self._sampling)
        self._ends = np.asarray(vocabulary.ends, dtype=np.int64)
        self._count = 0
        self._native = NativeStages(self._sampling, vocabulary, generation.prompt.tokens)
        self._stages = self._native.build()
        self._select = self._native.selector()
        self._native.read(history)

    def sample(self, row: Row, candidates: Candidates) -> int:
        """The next token; `row`, the raw logits, is changed by biases, bans and what the guide refuses.

        Afterwards `remaining` holds what the samplers left to choose from, if the job wants to know. Raises
        EngineFailed when the constraint cannot be followed any further.
        """
        if self._guide is not None and not self._guide.is_free:
            return self._guided(row, candidates, self._guide)
        self._apply_bias(row)
        return self._draw(row, candidates)

    @property
    def is_complete(self) -> bool:
        """True when the reply has to end where it is, because nothing may follow."""
        return self._guide is not None and self._guide.is_complete

    def _guided(self, row: Row, candidates: Candidates, guide: Guide) -> int:
        """Sampled first, and from what is allowed only if the token is refused: most never are, and masks cost time.

        Mirostat learns from every draw, and reported distributions are of what is allowed: there the mask comes first.
        """
        if (forced := guide.forced) is not None:
            self.remaining = _certain(forced) if self._generation.sampled_logprobs else None
            return forced
        raw = row.copy() if self._bias is not None or self._bans_end else row
        self._apply_bias(row)
        if not self._sampling.mirostat_mode and not self._generation.sampled_logprobs:
            token = self._draw(row, candidates)
            if guide.is_allowed(token):
                return token
        allowed = guide.mask()
        row[~allowed] = -np.inf
        token = self._draw(row, candidates) if row.max() > -np.inf else int(self._ends[0])
        return token if allowed[token] and row[token] > -np.inf else self._last_resort(raw, allowed)

    def _last_resort(self, raw: Row, allowed: Mask) -> int:
        """Where biases and samplers ban all that is allowed, the constraint wins: the end, or else the likeliest."""
        ends = self._ends[allowed[self._ends]]
        likely = np.where(allowed, raw, -np.inf)
        token = int(ends[likely[ends].argmax()]) if len(ends) else int(likely.argmax())
        self.remaining = _certain(token) if self._generation.sampled_logprobs else None
        return token

    def _draw(self, row: Row, candidates: Candidates) -> int:
        if self._select is None and not self._stages and not self._generation.sampled_logprobs:
            return int(row.argmax())
        candidates.fill(row)
        for stage in self._stages:
            stage(candidates, self._history)
        if self._generation.sampled_logprobs:
            self.remaining = self._distribution(candidates)
        return candidates.best() if self._select is None else self._selected(candidates, self._select)

    def accept(self, token: int) -> None:
        """`token` is now part of the reply, or its end. Raises EngineFailed when no constraint could go on from it."""
        if self._guide is not None:
            self._guide.accept(token)
        self._count += 1
        self._native.accept(token)

    def close(self) -> None:
        self._native.close()

    def _apply_bias(self, row: Row) -> None:
        if self._bias is not None:
            self._bias.add_to(row)
        if self._bans_end:
            row[self._ends] = -np.inf

    @property
    def _bans_end(self) -> bool:
        return self._generation.ignore_eos or self._count < self._generation.min_tokens

    def _distribution(self, candidates: Candidates) -> Distribution:
        if self._select is None:
            return _certain(candidates.best())
        with np.errstate(divide="ignore"):
            return candidates.ids.copy(), np.log(candidates.probabilities())

    def _selected(self, candidates: Candidates, select: Any) -> int:
        c.llama_sampler_apply(select, candidates.pointer)
        chosen = candidates.selected
        return candidates.best() if chosen is None else chosen


def _certain(token: int) -> Distribution:
    return np.asarray([token]), np.zeros(1)
