"""The samplers shared by all backends leave what llama.cpp's own leave, and draw the same token by the same seed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from llama_cpp import llama_cpp as c

from modules.backends.llamacpp.sampling.candidates import Candidates
from modules.backends.llamacpp.sampling.native_stages import NativeStages, SamplerVocabulary
from modules.backends.sampling.logprobs import Row
from modules.backends.sampling.row_sampler import RowSampler
from modules.backends.sampling.stages import SamplerFacts
from modules.sampling import SAMPLER_ORDER, Sampling
from tests.backends.sampling.rows import Weights

CONTEXT = 64
# Beyond what the two may differ by in rounding: logits have 24 bits.
JITTER = 4e-6
CLOSE = 1e-5
SIZES = (1, 2, 10, 300, 2000, 40_000)

Numbers = np.random.Generator

RANGES: dict[str, Callable[[Numbers], Any]] = {
    "temperature": lambda n: n.uniform(0.1, 3),
    "smoothing_factor": lambda n: n.uniform(0.01, 1),
    "smoothing_curve": lambda n: n.uniform(1, 3),
    "top_p": lambda n: n.uniform(0, 1),
    "top_k": lambda n: int(n.integers(2, 200)),
    "min_p": lambda n: n.uniform(0, 0.5),
    "top_n_sigma": lambda n: n.uniform(0.1, 4),
    "typical_p": lambda n: n.uniform(0, 1),
    "epsilon_cutoff": lambda n: n.uniform(0, 9),
    "eta_cutoff": lambda n: n.uniform(0, 20),
    "tfs": lambda n: n.uniform(0.1, 1),
    "top_a": lambda n: n.uniform(0, 1),
    "xtc_probability": lambda n: n.uniform(0, 1),
    "xtc_threshold": lambda n: n.uniform(0.01, 0.6),
    "repetition_penalty": lambda n: n.uniform(1, 1.5),
    "presence_penalty": lambda n: n.uniform(-2, 2),
    "frequency_penalty": lambda n: n.uniform(-2, 2),
    "repetition_penalty_range": lambda n: int(n.integers(0, 50)),
    "encoder_repetition_penalty": lambda n: n.uniform(0.8, 1.5),
    "no_repeat_ngram_size": lambda n: int(n.integers(1, 4)),
    "dry_multiplier": lambda n: n.uniform(0.1, 3),
    "dry_base": lambda n: n.uniform(1, 3),
    "dry_allowed_length": lambda n: int(n.integers(1, 4)),
    "dynamic_temperature": lambda n: True,
    "dynatemp_low": lambda n: n.uniform(0.2, 2),
    "dynatemp_high": lambda n: n.uniform(0.2, 3),
    "dynatemp_exponent": lambda n: n.uniform(0.2, 2),
}
GROUPS = (
    ("temperature",),
    ("smoothing_factor", "smoothing_curve"),
    ("top_p",),
    ("top_k",),
    ("min_p",),
    ("top_n_sigma",),
    ("typical_p",),
    ("epsilon_cutoff",),
    ("eta_cutoff",),
    ("tfs",),
    ("top_a",),
    ("xtc_probability", "xtc_threshold"),
    ("repetition_penalty", "repetition_penalty_range"),
    ("presence_penalty", "frequency_penalty", "repetition_penalty_range"),
    ("encoder_repetition_penalty",),
    ("no_repeat_ngram_size",),
    ("dry_multiplier", "dry_base", "dry_allowed_length"),
    ("dynamic_temperature", "dynatemp_low", "dynatemp_high", "dynatemp_exponent"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the samplers left, and the token drawn from it."""

    left: Weights
    token: int


@dataclass(frozen=True, slots=True)
class Case:
    sampling: Sampling
    row: Row
    history: tuple[int, ...]
    prompt: tuple[int, ...]

    def natively(self) -> Outcome:
        size = len(self.row)
        vocabulary = SamplerVocabulary(pointer=None, size=size, ends=(), context=CONTEXT)
        candidates = Candidates(size)
        candidates.fill(self.row)
        with closing(NativeStages(self.sampling, vocabulary, self.prompt)) as stages:
            chain, selector = stages.build(), stages.selector()
            stages.read(self.history)
            for stage in chain:
                stage(candidates, self.history)
            left = dict(zip(candidates.ids.tolist(), candidates.probabilities().tolist(), strict=True))
            self._fill_in_order(candidates)
            c.llama_sampler_apply(selector, candidates.pointer)
            assert candidates.selected is not None
            return Outcome({token: p for token, p in left.items() if p > CLOSE / 10}, candidates.selected)

    def in_numpy(self, row: Row | None = None) -> Outcome:
        facts = SamplerFacts(vocabulary=len(self.row), context=CONTEXT, prompt=self.prompt)
        sampler = RowSampler(self.sampling, facts, self.sampling.seed)
        token = sampler.sample(self.row if row is None else row, self.history)
        ids, logprobs = sampler.remaining
        left = dict(zip(ids.tolist(), np.exp(logprobs).tolist(), strict=True))
        return Outcome({token: p for token, p in left.items() if p > CLOSE / 10}, token)

    def is_stable(self) -> bool:
        """False when the least rounding of the row decides what is left, or what is drawn."""
        numbers = np.random.default_rng(0)
        outcome = self.in_numpy()
        for _ in range(8):
            noise = (self.row * numbers.uniform(-JITTER, JITTER, len(self.row))).astype(np.float32)
            noise[self.row == -np.inf] = 0
            other = self.in_numpy(self.row + noise)
            if len(other.left) != len(outcome.left) or not is_close(outcome.left, other.left):
                return False
        return True

    def _fill_in_order(self, candidates: Candidates) -> None:
        """llama.cpp draws in whatever order its samplers left; the shared ones draw in that of ids."""
        row = np.full(len(self.row), -np.inf, dtype=np.float32)
        row[candidates.ids] = candidates.logits.copy()
        candidates.fill(row)


def is_close(one: Weights, other: Weights) -> bool:
    """The same probabilities, token by token but for which of equally likely ones are left."""
    if len(one) != len(other):
        return False
    if not np.allclose(sorted(one.values()), sorted(other.values()), atol=CLOSE, rtol=0):
        return False
    alone, others = (sorted(a[token] for token in a.keys() - b.keys()) for a, b in ((one, other), (other, one)))
    if not np.allclose(alone, others, atol=CLOSE, rtol=0):
        return False
    return all(abs(one[token] - other[token]) <= CLOSE for token in one.keys() & other.keys())


def row_of(numbers: Numbers, size: int) -> Row:
    row = numbers.normal(scale=numbers.uniform(0.5, 5), size=size)
    if numbers.random() < 0.5:
        # Multiples of 1/8 are exact in single precision, so that ties are ties.
        row = np.round(row * 8) / 8
    if numbers.random() < 0.5:
        row[numbers.random(size) < 0.3] = -np.inf
        row[numbers.integers(size)] = 1.0
    return row.astype(np.float32)


def case_of(numbers: Numbers, size: int, names: Sequence[str], **fields: Any) -> Case:
    values = {name: RANGES[name](numbers) for name in names}
    tokens = numbers.integers(0, min(size, 5), size=int(numbers.integers(0, 90)))
    history = tuple(tokens.tolist())
    sampling = Sampling(seed=int(numbers.integers(2**32)), dry_sequence_breakers=(), **values, **fields)
    return Case(sampling, row_of(numbers, size), history, history[:20])


def compared(cases: Iterator[Case]) -> tuple[int, int]:
    """Compares all of them; how many were stable, and how many of those drew another token of a tie."""
    stable = tied = 0
    for case in cases:
        native, ours = case.natively(), case.in_numpy()
        if not is_close(native.left, ours.left):
            assert not case.is_stable(), case
            continue
        stable += 1
        if native.left.keys() == ours.left.keys():
            assert native.token == ours.token, case
        else:
            tied += 1
    return stable, tied


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_each_alone(names: tuple[str, ...]) -> None:
    numbers = np.random.default_rng(len(names[0]))
    stable, _ = compared(case_of(numbers, size, names) for size in SIZES[:-1] for _ in range(8))
    assert stable >= 36


@pytest.mark.parametrize("size", SIZES)
def test_in_all_combinations_and_orders(size: int) -> None:
    numbers = np.random.default_rng(size)
    count = 150 if size < 1000 else 60 if size < 10_000 else 20

    def cases() -> Iterator[Case]:
        for _ in range(count):
            chosen = numbers.permutation(len(GROUPS))[: int(numbers.integers(1, 8))]
            names = dict.fromkeys(name for index in chosen for name in GROUPS[index])
            order = tuple(str(name) for name in numbers.permutation(SAMPLER_ORDER))
            yield case_of(
                numbers, size, tuple(names), sampler_priority=order, temperature_last=bool(numbers.random() < 0.3)
            )

    stable, tied = compared(cases())
    assert stable >= 0.95 * count
    assert tied <= 0.25 * count


def native_draws(sampling: Sampling, row: Row, count: int) -> list[int]:
    vocabulary = SamplerVocabulary(pointer=None, size=len(row), ends=(), context=CONTEXT)
    candidates = Candidates(len(row))
    tokens: list[int] = []
    with closing(NativeStages(sampling, vocabulary, ())) as stages:
        chain, selector = stages.build(), stages.selector()
        for _ in range(count):
            candidates.fill(row)
            for stage in chain:
                stage(candidates, tokens)
            if selector is not None:
                c.llama_sampler_apply(selector, candidates.pointer)
            tokens.append(candidates.best() if candidates.selected is None else candidates.selected)
            stages.accept(tokens[-1])
    return tokens


def row_draws(sampling: Sampling, row: Row, count: int) -> list[int]:
    sampler = RowSampler(sampling, SamplerFacts(vocabulary=len(row), context=CONTEXT), sampling.seed)
    tokens: list[int] = []
    for _ in range(count):
        tokens.append(sampler.sample(row, tokens))
        sampler.accept(tokens[-1])
    return tokens


SEEDS = (0, 7, 2**32 - 1, 2**40 + 3)


def distinct(size: int) -> Row:
    return np.random.default_rng(size).normal(scale=2, size=size).astype(np.float32)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"temperature": 2.0},
        {"temperature": 2.0, "repetition_penalty": 1.3, "presence_penalty": 0.5},
        {"temperature": 2.0, "dry_multiplier": 2.0, "dry_allowed_length": 1},
        {"mirostat_mode": 1, "mirostat_tau": 3.0, "mirostat_eta": 0.3},
        {"mirostat_mode": 2, "mirostat_tau": 3.0, "mirostat_eta": 0.3},
        {"mirostat_mode": 2, "mirostat_tau": 0.0},
        {"adaptive_target": 0.2},
        {"adaptive_target": 0.05, "adaptive_decay": 0.99},
        {"adaptive_target": 0.9, "adaptive_decay": 0.0},
        {"temperature": 0.0, "frequency_penalty": 0.6},
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [3, 40, 3000])
@pytest.mark.parametrize("seed", SEEDS)
def test_draws_one_after_the_other(parameters: dict[str, Any], size: int, seed: int) -> None:
    sampling = Sampling(seed=seed, dry_sequence_breakers=(), **parameters)
    assert row_draws(sampling, distinct(size), 40) == native_draws(sampling, distinct(size), 40)


@pytest.mark.parametrize(
    "parameters",
    [
        {"xtc_probability": 0.5, "xtc_threshold": 0.05},
        {"top_k": 20, "top_p": 0.95, "min_p": 0.01, "temperature": 1.5},
        {"temperature": 1.5, "dynamic_temperature": True, "dynatemp_low": 0.5, "dynatemp_high": 3.0},
        {"top_k": 30, "xtc_probability": 0.3, "mirostat_mode": 2},
        {"top_k": 30, "xtc_probability": 0.3, "adaptive_target": 0.1},
    ],
    ids=str,
)
@pytest.mark.parametrize("seed", SEEDS)
def test_draws_from_what_is_sorted_already(parameters: dict[str, Any], seed: int) -> None:
    """Samplers of llama.cpp that sort change the order in which it draws; here it is that of ids."""
    sampling = Sampling(seed=seed, **parameters)
    row = np.sort(distinct(500))[::-1].copy()
    assert row_draws(sampling, row, 60) == native_draws(sampling, row, 60)
