"""One job's way from logits to its next token: the samplers it asked for, in the order it asked for."""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from llama_cpp import llama_cpp as c

from modules.backends.llamacpp import numpy_samplers
from modules.backends.llamacpp.candidates import Candidates
from modules.backends.sampling.logprobs import Distribution, Row
from modules.engine.constraints.grammar_matcher import Mask
from modules.engine.constraints.matcher import Guide
from modules.engine.types import Generation
from modules.sampling import Sampling

Stage: TypeAlias = Callable[[Candidates], None]
_MIN_KEEP: Final = 1
_FEW: Final = 1024  # llama.cpp sorts them all: below this, that is quicker than finding out which need not be
# The paper's m, from which it estimates the exponent of Zipf's law; llama.cpp's default.
_MIROSTAT_SAMPLES: Final = 100
# LLAMA_DEFAULT_SEED: llama.cpp draws one itself.
_ANY_SEED: Final = 0xFFFFFFFF
_TEMPERATURES: Final = ("temperature", "dynamic_temperature", "quadratic_sampling")
_PENALTIES: Final = ("repetition_penalty", "presence_penalty", "frequency_penalty")


@dataclass(frozen=True, slots=True)
class SamplerVocabulary:
    """What samplers need of the model: its vocabulary, the tokens that end a reply, the most tokens a job can have."""

    pointer: Any
    size: int
    ends: tuple[int, ...]
    context: int


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
        self._vocabulary = vocabulary
        self.remaining: Distribution | None = None
        self._owned: list[Any] = []
        self._remembering: list[Any] = []
        self._bias = _bias_of(self._sampling)
        self._ends = np.asarray(vocabulary.ends, dtype=np.int64)
        self._count = 0
        self._stages = self._build_stages()
        self._select = self._build_selector()
        for token in history if self._remembering else ():
            self._remember(token)

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
            stage(candidates)
        if self._generation.sampled_logprobs:
            self.remaining = self._distribution(candidates)
        return candidates.best() if self._select is None else self._selected(candidates, self._select)

    def accept(self, token: int) -> None:
        """`token` is now part of the reply, or its end. Raises EngineFailed when no constraint could go on from it."""
        if self._guide is not None:
            self._guide.accept(token)
        self._count += 1
        self._remember(token)

    def close(self) -> None:
        for sampler in self._owned:
            c.llama_sampler_free(sampler)
        self._owned.clear()
        self._remembering.clear()

    def _apply_bias(self, row: Row) -> None:
        if self._bias is not None:
            ids, values = self._bias
            row[ids] += values
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

    def _remember(self, token: int) -> None:
        for sampler in self._remembering:
            c.llama_sampler_accept(sampler, token)

    def _build_stages(self) -> list[Stage]:
        order = _in_order(self._sampling)
        names = [name for name in order if name in _PENALTIES or name in self._makers()]
        penalties = [name for name in names if name in _PENALTIES]
        stages = [stage for name in names if name not in penalties[1:] and (stage := self._stage(name)) is not None]
        return [*stages, numpy_samplers.drop_impossible] if self._sampling.mirostat_mode else stages

    def _stage(self, name: str) -> Stage | None:
        if self._sampling.is_greedy and name not in (
            *_PENALTIES,
            "dry",
            "encoder_repetition_penalty",
            "no_repeat_ngram",
        ):
            return None
        return self._penalties() if name in _PENALTIES else self._makers()[name]()

    def _makers(self) -> dict[str, Callable[[], Stage | None]]:
        return {
            "dry": self._dry,
            "top_n_sigma": self._top_n_sigma,
            "temperature": self._temperature,
            "dynamic_temperature": self._dynamic_temperature,
            "quadratic_sampling": self._quadratic,
            "top_k": self._top_k,
            "top_p": self._top_p,
            "typical_p": self._typical_p,
            "epsilon_cutoff": self._epsilon_cutoff,
            "eta_cutoff": self._eta_cutoff,
            "tfs": self._tail_free,
            "top_a": self._top_a,
            "min_p": self._min_p,
            "xtc": self._xtc,
            "encoder_repetition_penalty": self._encoder_repetition,
            "no_repeat_ngram": self._no_repeat_ngram,
        }

    def _native(self, sampler: Any, *, remembers: bool = False) -> Stage:
        self._owned.append(sampler)
        if remembers:
            self._remembering.append(sampler)
        return lambda candidates: c.llama_sampler_apply(sampler, candidates.pointer)

    def _range(self) -> int:
        context = self._vocabulary.context
        return min(self._sampling.repetition_penalty_range or context, context)

    def _penalties(self) -> Stage | None:
        s, order = self._sampling, self._sampling.sampler_priority
        repeat = s.repetition_penalty if "repetition_penalty" in order else 1.0
        if (repeat, s.frequency_penalty, s.presence_penalty) == (1.0, 0.0, 0.0):
            return None
        made = c.llama_sampler_init_penalties(
            self._vocabulary.size, self._range(), repeat, s.frequency_penalty, s.presence_penalty
        )
        return self._native(made, remembers=True)

    def _dry(self) -> Stage | None:
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
            self._range(),
            breakers,
            len(encoded),
        )
        return self._native(made, remembers=True)

    def _top_n_sigma(self) -> Stage | None:
        sigma = self._sampling.top_n_sigma
        return self._native(c.llama_sampler_init_top_n_sigma(sigma)) if sigma > 0 else None

    def _temperature(self) -> Stage | None:
        s = self._sampling
        if s.dynamic_temperature or s.temperature == 1.0:
            return None
        return self._native(c.llama_sampler_init_temp(s.temperature))

    def _dynamic_temperature(self) -> Stage | None:
        s = self._sampling
        if not s.dynamic_temperature:
            return None
        middle, half = (s.dynatemp_low + s.dynatemp_high) / 2, abs(s.dynatemp_high - s.dynatemp_low) / 2
        return self._native(c.llama_sampler_init_temp_ext(middle, half, s.dynatemp_exponent))

    def _quadratic(self) -> Stage | None:
        s = self._sampling
        if not s.smoothing_factor:
            return None
        return lambda candidates: numpy_samplers.quadratic(candidates, s.smoothing_factor, s.smoothing_curve)

    def _top_k(self) -> Stage | None:
        k = self._sampling.top_k
        return self._native(c.llama_sampler_init_top_k(k)) if k > 0 else None

    def _top_p(self) -> Stage | None:
        p = self._sampling.top_p
        if p >= 1:
            return None
        few = self._native(c.llama_sampler_init_top_p(p, _MIN_KEEP))
        return lambda candidates: few(candidates) if candidates.size <= _FEW else numpy_samplers.top_p(candidates, p)

    def _typical_p(self) -> Stage | None:
        p = self._sampling.typical_p
        if p >= 1:
            return None
        return _after_impossible(self._native(c.llama_sampler_init_typical(p, _MIN_KEEP)))

    def _min_p(self) -> Stage | None:
        p = self._sampling.min_p
        return self._native(c.llama_sampler_init_min_p(p, _MIN_KEEP)) if p > 0 else None

    def _xtc(self) -> Stage | None:
        s = self._sampling
        if not s.xtc_probability:
            return None
        return self._native(c.llama_sampler_init_xtc(s.xtc_probability, s.xtc_threshold, _MIN_KEEP, _seed_of(s)))

    def _epsilon_cutoff(self) -> Stage | None:
        epsilon = self._sampling.epsilon_cutoff
        return (lambda candidates: numpy_samplers.epsilon_cutoff(candidates, epsilon)) if epsilon else None

    def _eta_cutoff(self) -> Stage | None:
        eta = self._sampling.eta_cutoff
        return (lambda candidates: numpy_samplers.eta_cutoff(candidates, eta)) if eta else None

    def _tail_free(self) -> Stage | None:
        z = self._sampling.tfs
        return (lambda candidates: numpy_samplers.tail_free(candidates, z)) if z < 1 else None

    def _top_a(self) -> Stage | None:
        a = self._sampling.top_a
        return (lambda candidates: numpy_samplers.top_a(candidates, a)) if a > 0 else None

    def _encoder_repetition(self) -> Stage | None:
        penalty = self._sampling.encoder_repetition_penalty
        if penalty == 1.0:
            return None
        prompt = np.unique(np.asarray(self._generation.prompt.tokens, dtype=np.int32))
        return lambda candidates: numpy_samplers.encoder_repetition(candidates, penalty, prompt)

    def _no_repeat_ngram(self) -> Stage | None:
        size = self._sampling.no_repeat_ngram_size
        return (lambda candidates: numpy_samplers.no_repeat_ngram(candidates, size, self._history)) if size else None

    def _build_selector(self) -> Any | None:
        """What picks one of the remaining candidates; None means the most likely."""
        s = self._sampling
        if s.is_greedy:
            return None
        seed = _seed_of(s)
        if s.mirostat_mode == 1:
            made = c.llama_sampler_init_mirostat(
                self._vocabulary.size, seed, s.mirostat_tau, s.mirostat_eta, _MIROSTAT_SAMPLES
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


def _certain(token: int) -> Distribution:
    return np.asarray([token]), np.zeros(1)


def _after_impossible(stage: Stage) -> Stage:
    def both(candidates: Candidates) -> None:
        numpy_samplers.drop_impossible(candidates)
        stage(candidates)

    return both


def _in_order(sampling: Sampling) -> Sequence[str]:
    order = tuple(dict.fromkeys(sampling.sampler_priority))
    if not sampling.temperature_last:
        return order
    return [name for name in order if name not in _TEMPERATURES] + [name for name in order if name in _TEMPERATURES]


def _bias_of(sampling: Sampling) -> tuple[Any, Any] | None:
    biases = sampling.logit_bias | dict.fromkeys(sampling.banned_tokens, -np.inf)
    if not biases:
        return None
    ids = np.fromiter(biases.keys(), dtype=np.int64)
    return ids, np.fromiter(biases.values(), dtype=np.float32)


def _seed_of(sampling: Sampling) -> int:
    """llama.cpp's seeds are 32 bits wide, and its last one means "pick one"."""
    return _ANY_SEED if sampling.seed is None else sampling.seed % _ANY_SEED
