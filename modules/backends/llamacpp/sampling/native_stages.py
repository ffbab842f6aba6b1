"""Samplers that llama.cpp has, run by it on the candidates where they lie; the others are the shared ones."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from llama_cpp import llama_cpp as c

from modules.backends.llamacpp.sampling.candidates import Candidates
from modules.backends.sampling.filters import MIN_XTC_THRESHOLD
from modules.backends.sampling.selectors import MIROSTAT_SAMPLES
from modules.backends.sampling.stages import SamplerFacts, Stage, Stages, drop_impossible
from modules.sampling import Sampling

_MIN_KEEP: Final = 1
_FEW: Final = 1024  # llama.cpp sorts them all: below this, that is quicker than finding out which need not be
# LLAMA_DEFAULT_SEED: llama.cpp draws one itself.
_ANY_SEED: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class SamplerVocabulary:
    """What samplers need of the model: its vocabulary, the tokens that end a reply, the most tokens a job can have."""

    pointer: Any
    size: int
    ends: tuple[int, ...]
    context: int


class NativeStages(Stages[Candidates]):
    """Owns what llama.cpp holds for one job, until `close`."""

    def __init__(self, sampling: Sampling, vocabulary: SamplerVocabulary, prompt: tuple[int, ...]) -> None:
        super().__init__(sampling, SamplerFacts(vocabulary.size, vocabulary.context, prompt), sampling.seed)
        self._vocabulary = vocabulary
        self._owned: list[Any] = []
        self._remembering: list[Any] = []

    def selector(self) -> Any | None:
        """What picks one of the remaining candidates; None means the most likely."""
        s = self._sampling
        if s.is_greedy:
            return None
        seed = _seed_of(s)
        if s.mirostat_mode == 1:
            made = c.llama_sampler_init_mirostat(
                self._vocabulary.size, seed, s.mirostat_tau, s.mirostat_eta, MIROSTAT_SAMPLES
            )
        elif s.mirostat_mode == 2:
            made = c.llama_sampler_init_mirostat_v2(seed, s.mirostat_tau, s.mirostat_eta)
        elif s.adaptive_target > 0:
            made = c.llama_sampler_init_adaptive_p(s.adaptive_target, s.adaptive_decay, seed)
            self._remembering.append(made)
        else:
            made = c.llama_sampler_init_dist(seed)
        self._owned.append(made)
        return made

    def read(self, history: Sequence[int]) -> None:
        """Tell samplers that look back what there was before the first token."""
        for token in history if self._remembering else ():
            self.accept(token)

    def accept(self, token: int) -> None:
        for sampler in self._remembering:
            c.llama_sampler_accept(sampler, token)

    def close(self) -> None:
        for sampler in self._owned:
            c.llama_sampler_free(sampler)
        self._owned.clear()
        self._remembering.clear()

    def penalties(self) -> Stage[Candidates] | None:
        values = self.penalty_values
        if values is None:
            return None
        repetition, presence, frequency = values
        made = c.llama_sampler_init_penalties(self._vocabulary.size, self.reach, repetition, frequency, presence)
        return self._native(made, remembers=True)

    def dry(self) -> Stage[Candidates] | None:
        s = self._sampling
        if not s.dry_multiplier:
            return None
        encoded = [breaker.encode("utf-8", "replace") for breaker in s.dry_sequence_breakers]
        breakers = (ctypes.c_char_p * len(encoded))(*encoded)
        made = c.llama_sampler_init_dry(
            self._vocabulary.pointer,
            s.dry_multiplier,
            s.dry_base,
            s.dry_allowed_length,
            self.reach,
            breakers,
            len(encoded),
        )
        return self._native(made, remembers=True)

    def top_n_sigma(self) -> Stage[Candidates] | None:
        sigma = self._sampling.top_n_sigma
        return self._native(c.llama_sampler_init_top_n_sigma(sigma)) if sigma > 0 else None

    def temperature(self) -> Stage[Candidates] | None:
        s = self._sampling
        if s.dynamic_temperature or s.temperature == 1.0:
            return None
        return self._native(c.llama_sampler_init_temp(s.temperature))

    def dynamic_temperature(self) -> Stage[Candidates] | None:
        s = self._sampling
        if not s.dynamic_temperature:
            return None
        middle, half = (s.dynatemp_low + s.dynatemp_high) / 2, abs(s.dynatemp_high - s.dynatemp_low) / 2
        return self._native(c.llama_sampler_init_temp_ext(middle, half, s.dynatemp_exponent))

    def top_k(self) -> Stage[Candidates] | None:
        k = self._sampling.top_k
        return self._native(c.llama_sampler_init_top_k(k)) if k > 0 else None

    def top_p(self) -> Stage[Candidates] | None:
        many = super().top_p()
        if many is None:
            return None
        few = self._native(c.llama_sampler_init_top_p(self._sampling.top_p, _MIN_KEEP))

        def stage(candidates: Candidates, history: Sequence[int]) -> None:
            (few if candidates.size <= _FEW else many)(candidates, history)

        return stage

    def typical_p(self) -> Stage[Candidates] | None:
        p = self._sampling.typical_p
        if p >= 1:
            return None
        typical = self._native(c.llama_sampler_init_typical(p, _MIN_KEEP))

        def stage(candidates: Candidates, history: Sequence[int]) -> None:
            drop_impossible(candidates, history)
            typical(candidates, history)

        return stage

    def min_p(self) -> Stage[Candidates] | None:
        p = self._sampling.min_p
        return self._native(c.llama_sampler_init_min_p(p, _MIN_KEEP)) if p > 0 else None

    def xtc(self) -> Stage[Candidates] | None:
        s = self._sampling
        if not s.xtc_probability:
            return None
        threshold = max(s.xtc_threshold, MIN_XTC_THRESHOLD)
        return self._native(c.llama_sampler_init_xtc(s.xtc_probability, threshold, _MIN_KEEP, _seed_of(s)))

    def _native(self, sampler: Any, *, remembers: bool = False) -> Stage[Candidates]:
        self._owned.append(sampler)
        if remembers:
            self._remembering.append(sampler)
        return lambda candidates, _: c.llama_sampler_apply(sampler, candidates.pointer)


def _seed_of(sampling: Sampling) -> int:
    """llama.cpp's seeds are 32 bits wide, and its last one means "pick one"."""
    return _ANY_SEED if sampling.seed is None else sampling.seed % _ANY_SEED
