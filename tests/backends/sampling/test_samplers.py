"""Samplers on a row against the formulas written out by hand, impossible tokens included."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.backends.sampling import filters, penalties, temperatures
from modules.backends.sampling.candidates import RowCandidates
from modules.backends.sampling.candidates import probabilities as shares_of
from tests.backends.sampling import rows
from tests.backends.sampling.rows import IMPOSSIBLE, Weights, filled, ids_of, logits_of, probabilities

SLACK = 1e-6
fractions = st.floats(0.0, 0.999)


def assert_threshold(kept: set[int], weights: Weights, threshold: float) -> None:
    """`kept` are the tokens at least as likely as `threshold`, and the likeliest in any case."""
    best = rows.likeliest_first(weights)[0]
    assert best in kept
    assert {t for t, p in weights.items() if p > threshold * (1 + SLACK)} <= kept
    assert kept - {best} <= {t for t, p in weights.items() if p >= threshold * (1 - SLACK)}


@given(rows.with_impossible, fractions)
def test_top_p(logits: list[float], p: float) -> None:
    candidates, weights = filled(logits), probabilities(logits)
    candidates.keep(filters.top_p(candidates.logits, p))
    assert rows.nucleus(weights, p - SLACK) <= ids_of(candidates) <= rows.nucleus(weights, p + SLACK)


@pytest.mark.parametrize("p", [0.0, 0.5, 0.9, 0.999, 0.9999999])
def test_top_p_of_a_whole_vocabulary(p: float) -> None:
    logits = np.random.default_rng(1).normal(scale=3, size=50_000).astype(np.float32).tolist()
    candidates, weights = filled(logits), probabilities(logits)
    candidates.keep(filters.top_p(candidates.logits, p))
    assert len(rows.nucleus(weights, p - SLACK)) <= len(candidates.ids) <= len(rows.nucleus(weights, p + SLACK))
    assert set(rows.likeliest_first(weights)[: len(candidates.ids)]) == ids_of(candidates)


@given(rows.with_impossible, st.floats(0.1, 5000))
def test_epsilon_cutoff(logits: list[float], epsilon: float) -> None:
    candidates = filled(logits)
    candidates.keep(filters.epsilon_cutoff(candidates.logits, epsilon))
    assert_threshold(ids_of(candidates), probabilities(logits), epsilon * 1e-4)


@given(rows.with_impossible, st.floats(0.1, 5000))
def test_eta_cutoff(logits: list[float], eta: float) -> None:
    candidates, weights = filled(logits), probabilities(logits)
    candidates.keep(filters.eta_cutoff(candidates.logits, eta))
    unit = eta * 1e-4
    assert_threshold(ids_of(candidates), weights, min(unit, math.sqrt(unit) * math.exp(-rows.entropy(weights))))


@given(rows.with_impossible, st.floats(0.001, 1))
def test_top_a(logits: list[float], a: float) -> None:
    candidates, weights = filled(logits), probabilities(logits)
    candidates.keep(filters.top_a(candidates.logits, a))
    assert_threshold(ids_of(candidates), weights, a * max(weights.values()) ** 2)


@given(rows.with_impossible, st.floats(0, 0.999))
def test_tail_free(logits: list[float], z: float) -> None:
    candidates, weights = filled(logits), probabilities(logits)
    candidates.keep(filters.tail_free(candidates.logits, z))
    assert rows.tail_free(weights, z - SLACK) <= ids_of(candidates) <= rows.tail_free(weights, z + SLACK)


@given(rows.with_impossible, st.floats(0.01, 10), st.floats(1, 10))
def test_quadratic(logits: list[float], factor: float, curve: float) -> None:
    candidates = filled(logits)
    candidates.reweigh(temperatures.quadratic(candidates.logits, factor, curve))
    best = max(logits)
    expected = {
        token: best - (factor * (3 - curve) / 2 * (best - x) ** 2 + factor * (curve - 1) / 2 * (best - x) ** 3)
        for token, x in enumerate(logits)
        if x != IMPOSSIBLE
    }
    assert {token: x for token, x in logits_of(candidates).items() if x != IMPOSSIBLE} == pytest.approx(
        expected, rel=1e-5, abs=1e-5
    )


@given(rows.with_impossible, st.floats(0.8, 1.5), st.sets(st.integers(0, 23)))
def test_encoder_repetition(logits: list[float], penalty: float, prompt: set[int]) -> None:
    candidates = filled(logits)
    ids, tokens = candidates.ids, np.asarray(sorted(prompt), dtype=np.int32)
    candidates.reweigh(penalties.encoder_repetition(candidates.logits, ids, penalty, tokens))
    favoured = {x: x / penalty if x < 0 else x * penalty for x in logits}
    expected = {token: favoured[x] if token in prompt else x for token, x in enumerate(logits)}
    assert logits_of(candidates) == pytest.approx(expected, rel=1e-5)


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 5))
def test_no_repeat_ngram(history: list[int], size: int) -> None:
    candidates = filled([0.0] * 4)
    candidates.keep(penalties.no_repeat_ngram(candidates.ids, size, history))
    seen = {tuple(history[at : at + size]) for at in range(len(history) - size + 1)}
    tail = tuple(history[len(history) - size + 1 :])
    allowed = {token for token in range(4) if (*tail, token) not in seen}
    assert ids_of(candidates) == (allowed if len(history) >= size and allowed else set(range(4)))


HARSHEST: tuple[Callable[[RowCandidates], None], ...] = (
    lambda candidates: candidates.keep(filters.top_p(candidates.logits, 0.0)),
    lambda candidates: candidates.keep(filters.epsilon_cutoff(candidates.logits, 1e5)),
    lambda candidates: candidates.keep(filters.eta_cutoff(candidates.logits, 1e5)),
    lambda candidates: candidates.keep(filters.top_a(candidates.logits, 1.0)),
    lambda candidates: candidates.keep(filters.tail_free(candidates.logits, 0.0)),
    lambda candidates: candidates.reweigh(temperatures.quadratic(candidates.logits, 10.0, 10.0)),
    lambda candidates: candidates.keep(penalties.no_repeat_ngram(candidates.ids, 1, range(24))),
    lambda candidates: candidates.keep(filters.top_k(candidates.logits, 1)),
    lambda candidates: candidates.keep(filters.xtc(candidates.logits, 0.0)),
    lambda candidates: candidates.keep(filters.possible(candidates.logits)),
    lambda candidates: candidates.keep(filters.min_p(candidates.logits, 1.0)),
    lambda candidates: candidates.keep(filters.typical_p(candidates.logits, 0.0)),
)


@given(rows.with_impossible, st.lists(st.sampled_from(HARSHEST), min_size=1, max_size=5))
def test_nothing_is_ever_left_empty(logits: list[float], samplers: list[Callable[[RowCandidates], None]]) -> None:
    candidates = filled(logits)
    for sampler in samplers:
        sampler(candidates)
        assert len(candidates.ids) > 0
        assert np.isfinite(shares_of(candidates.logits)).all()
    assert math.isfinite(logits[int(candidates.ids[candidates.logits.argmax()])])


def test_drop_impossible_keeps_whatever_can_be_drawn() -> None:
    candidates = filled([0.0, -79.0, -81.0, IMPOSSIBLE])
    candidates.keep(filters.possible(candidates.logits))
    assert ids_of(candidates) == {0, 1}
