"""The samplers that a request asks for, in the order that it asks for.

One method makes each stage; a backend whose library has a faster one overrides that method.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from modules.backends.sampling import filters, penalties, temperatures
from modules.backends.sampling.candidates import CandidateSet, Mask
from modules.backends.sampling.logprobs import Row
from modules.backends.sampling.penalties import Breakers, Dry, breakers_of
from modules.backends.sampling.random_numbers import RandomNumbers
from modules.sampling import Sampling

SomeCandidates = TypeVar("SomeCandidates", bound=CandidateSet)
# What happens to the candidates, given all tokens so far.
Stage: TypeAlias = Callable[[SomeCandidates, Sequence[int]], None]
_TEMPERATURES: Final = ("temperature", "dynamic_temperature", "quadratic_sampling")
_PENALTIES: Final = ("repetition_penalty", "presence_penalty", "frequency_penalty")
# What changes which token is the likeliest one.
_FOR_GREEDY: Final = (*_PENALTIES, "dry", "encoder_repetition_penalty", "no_repeat_ngram")


@dataclass(frozen=True, slots=True)
class SamplerFacts:
    """What samplers need to know beside the request: how many tokens the model has, the most that a job can have, those
    of its prompt, and the sequences of tokens that DRY's breakers consist of."""

    vocabulary: int
    context: int
    prompt: tuple[int, ...] = ()
    breakers: tuple[tuple[int, ...], ...] = ()


class Stages(Generic[SomeCandidates]):
    """Makes the stages of one job. `seed` decides when XTC runs; None draws one."""

    def __init__(self, sampling: Sampling, facts: SamplerFacts, seed: int | None) -> None:
        self._sampling = sampling
        self._facts = facts
        self._seed = seed

    def build(self) -> list[Stage[SomeCandidates]]:
        makers = self._makers()
        names = [name for name in in_order(self._sampling) if name in makers]
        if self._sampling.is_greedy:
            names = [name for name in names if name in _FOR_GREEDY]
        later_penalties = [name for name in names if name in _PENALTIES][1:]
        stages = [stage for name in names if name not in later_penalties and (stage := makers[name]()) is not None]
        return [*stages, drop_impossible] if self._sampling.mirostat_mode else stages

    def _makers(self) -> dict[str, Callable[[], Stage[SomeCandidates] | None]]:
        return dict.fromkeys(_PENALTIES, self.penalties) | {
            "dry": self.dry,
            "top_n_sigma": self.top_n_sigma,
            "temperature": self.temperature,
            "dynamic_temperature": self.dynamic_temperature,
            "quadratic_sampling": self.quadratic,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "typical_p": self.typical_p,
            "epsilon_cutoff": self.epsilon_cutoff,
            "eta_cutoff": self.eta_cutoff,
            "tfs": self.tail_free,
            "top_a": self.top_a,
            "min_p": self.min_p,
            "xtc": self.xtc,
            "encoder_repetition_penalty": self.encoder_repetition,
            "no_repeat_ngram": self.no_repeat_ngram,
        }

    @property
    def reach(self) -> int:
        """How many of the last tokens penalties and DRY look at."""
        return min(self._sampling.repetition_penalty_range or self._facts.context, self._facts.context)

    @property
    def penalty_values(self) -> tuple[float, float, float] | None:
        """Repetition, presence and frequency penalty; None when none of them does anything."""
        s = self._sampling
        repetition = s.repetition_penalty if "repetition_penalty" in s.sampler_priority else 1.0
        values = (repetition, s.presence_penalty, s.frequency_penalty)
        return None if values == (1.0, 0.0, 0.0) else values

    def penalties(self) -> Stage[SomeCandidates] | None:
        values, reach = self.penalty_values, self.reach
        if values is None:
            return None
        repetition, presence, frequency = values

        def stage(candidates: SomeCandidates, history: Sequence[int]) -> None:
            logits = penalties.penalties(
                candidates.logits,
                candidates.ids,
                _last(history, reach),
                repetition=repetition,
                presence=presence,
                frequency=frequency,
            )
            candidates.reweigh(logits)

        return stage

    def dry(self) -> Stage[SomeCandidates] | None:
        s, reach = self._sampling, self.reach
        if not s.dry_multiplier:
            return None
        breakers: Breakers = breakers_of(self._facts.breakers)
        dry = Dry(multiplier=s.dry_multiplier, base=s.dry_base, allowed_length=s.dry_allowed_length, breakers=breakers)

        def stage(candidates: SomeCandidates, history: Sequence[int]) -> None:
            candidates.reweigh(dry.apply(candidates.logits, candidates.ids, _last(history, reach)))

        return stage

    def top_n_sigma(self) -> Stage[SomeCandidates] | None:
        sigmas = self._sampling.top_n_sigma
        return _reweighing(lambda logits: temperatures.top_n_sigma(logits, sigmas)) if sigmas > 0 else None

    def temperature(self) -> Stage[SomeCandidates] | None:
        s = self._sampling
        if s.dynamic_temperature or s.temperature == 1.0:
            return None
        return _reweighing(lambda logits: temperatures.temperature(logits, s.temperature))

    def dynamic_temperature(self) -> Stage[SomeCandidates] | None:
        s = self._sampling
        if not s.dynamic_temperature:
            return None
        return _reweighing(
            lambda logits: temperatures.dynamic_temperature(
                logits, s.dynatemp_low, s.dynatemp_high, s.dynatemp_exponent
            )
        )

    def quadratic(self) -> Stage[SomeCandidates] | None:
        s = self._sampling
        if not s.smoothing_factor:
            return None

        def stage(candidates: SomeCandidates, _: Sequence[int]) -> None:
            candidates.keep(np.isfinite(candidates.logits))
            candidates.reweigh(temperatures.quadratic(candidates.logits, s.smoothing_factor, s.smoothing_curve))

        return stage

    def top_k(self) -> Stage[SomeCandidates] | None:
        k = self._sampling.top_k
        return _keeping(lambda logits: filters.top_k(logits, k)) if k > 0 else None

    def top_p(self) -> Stage[SomeCandidates] | None:
        p = self._sampling.top_p
        return _keeping(lambda logits: filters.top_p(logits, p)) if p < 1 else None

    def typical_p(self) -> Stage[SomeCandidates] | None:
        p = self._sampling.typical_p
        if p >= 1:
            return None

        def stage(candidates: SomeCandidates, history: Sequence[int]) -> None:
            drop_impossible(candidates, history)
            candidates.keep(filters.typical_p(candidates.logits, p))

        return stage

    def epsilon_cutoff(self) -> Stage[SomeCandidates] | None:
        epsilon = self._sampling.epsilon_cutoff
        return _keeping(lambda logits: filters.epsilon_cutoff(logits, epsilon)) if epsilon else None

    def eta_cutoff(self) -> Stage[SomeCandidates] | None:
        eta = self._sampling.eta_cutoff
        return _keeping(lambda logits: filters.eta_cutoff(logits, eta)) if eta else None

    def tail_free(self) -> Stage[SomeCandidates] | None:
        z = self._sampling.tfs
        return _keeping(lambda logits: filters.tail_free(logits, z)) if z < 1 else None

    def top_a(self) -> Stage[SomeCandidates] | None:
        a = self._sampling.top_a
        return _keeping(lambda logits: filters.top_a(logits, a)) if a > 0 else None

    def min_p(self) -> Stage[SomeCandidates] | None:
        p = self._sampling.min_p
        return _keeping(lambda logits: filters.min_p(logits, p)) if p > 0 else None

    def xtc(self) -> Stage[SomeCandidates] | None:
        s = self._sampling
        if not s.xtc_probability or s.xtc_threshold > filters.MAX_XTC_THRESHOLD:
            return None
        numbers = RandomNumbers(self._seed)

        def stage(candidates: SomeCandidates, _: Sequence[int]) -> None:
            if len(candidates.ids) > 1 and numbers.single() <= np.float32(s.xtc_probability):
                candidates.keep(filters.xtc(candidates.logits, s.xtc_threshold))

        return stage

    def encoder_repetition(self) -> Stage[SomeCandidates] | None:
        penalty = self._sampling.encoder_repetition_penalty
        if penalty == 1.0:
            return None
        prompt = np.unique(np.asarray(self._facts.prompt, dtype=np.int32))

        def stage(candidates: SomeCandidates, _: Sequence[int]) -> None:
            candidates.reweigh(penalties.encoder_repetition(candidates.logits, candidates.ids, penalty, prompt))

        return stage

    def no_repeat_ngram(self) -> Stage[SomeCandidates] | None:
        size = self._sampling.no_repeat_ngram_size
        if not size:
            return None

        def stage(candidates: SomeCandidates, history: Sequence[int]) -> None:
            mask = penalties.no_repeat_ngram(candidates.ids, size, history)
            # Where only banned tokens would be left, a repetition is the lesser evil.
            if (candidates.logits[mask] > -np.inf).any():
                candidates.keep(mask)

        return stage


def in_order(sampling: Sampling) -> Sequence[str]:
    """Names of samplers in the order of application, each once."""
    order = tuple(dict.fromkeys(sampling.sampler_priority))
    if not sampling.temperature_last:
        return order
    return [name for name in order if name not in _TEMPERATURES] + [name for name in order if name in _TEMPERATURES]


def drop_impossible(candidates: CandidateSet, _: Sequence[int]) -> None:
    candidates.keep(filters.possible(candidates.logits))


def _keeping(choose: Callable[[Row], Mask]) -> Stage[CandidateSet]:
    return lambda candidates, _: candidates.keep(choose(candidates.logits))


def _reweighing(change: Callable[[Row], temperatures.Logits]) -> Stage[CandidateSet]:
    return lambda candidates, _: candidates.reweigh(change(candidates.logits))


def _last(history: Sequence[int], reach: int) -> npt.NDArray[np.int32]:
    return np.asarray(history[-reach:], dtype=np.int32)
