"""One buffer for llama.cpp's samplers and ours, in any order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_cpp import llama_cpp as c

from modules.backends.llamacpp.sampling.candidates import Candidates
from tests.backends.sampling import rows
from tests.backends.sampling.rows import ids_of, logits_of


def filled(logits: Sequence[float]) -> Candidates:
    candidates = Candidates(len(logits))
    candidates.fill(rows.row(logits))
    return candidates


def apply_native(candidates: Candidates, sampler: Any) -> None:
    c.llama_sampler_apply(sampler, candidates.pointer)
    c.llama_sampler_free(sampler)


@given(rows.with_impossible)
def test_all_tokens_are_candidates_at_first(logits: list[float]) -> None:
    candidates = filled(logits)
    assert logits_of(candidates) == dict(enumerate(logits))
    assert candidates.size == len(logits)
    assert candidates.selected is None


@given(rows.with_impossible)
def test_probabilities_are_the_softmax(logits: list[float]) -> None:
    expected = rows.as_array(rows.probabilities(logits))
    assert filled(logits).probabilities() == pytest.approx(expected, abs=1e-9)


@given(rows.with_impossible, st.lists(st.booleans(), min_size=24, max_size=24))
def test_keep_narrows_but_never_to_nothing(logits: list[float], mask: list[bool]) -> None:
    candidates = filled(logits)
    candidates.keep(np.asarray(mask[: len(logits)]))
    wanted = {token for token, keep in zip(range(len(logits)), mask, strict=False) if keep}
    assert ids_of(candidates) == (wanted or set(range(len(logits))))


def test_ours_after_llama_cpps_after_ours() -> None:
    candidates = filled([0.0, 5.0, 1.0, 4.0, 2.0, 3.0])
    candidates.keep(candidates.ids != 1)
    apply_native(candidates, c.llama_sampler_init_top_k(3))
    assert candidates.ids.tolist() == [3, 5, 4]
    candidates.keep(candidates.ids != 5)
    assert logits_of(candidates) == {3: 4.0, 4: 2.0}
    apply_native(candidates, c.llama_sampler_init_top_k(1))
    assert ids_of(candidates) == {3}


def test_ours_after_one_of_llama_cpps_that_takes_from_the_front() -> None:
    candidates = filled([2.0, 1.9, 1.8, -9.0])
    apply_native(candidates, c.llama_sampler_init_xtc(1.0, 0.1, 1, 7))
    assert ids_of(candidates) == {2, 3}
    candidates.keep(candidates.ids == 3)
    candidates.reweigh(np.asarray([1.5]))
    assert logits_of(candidates) == {3: 1.5}


def test_llama_cpp_sees_what_was_reweighed() -> None:
    candidates = filled([3.0, 2.0, 1.0])
    apply_native(candidates, c.llama_sampler_init_top_k(3))
    candidates.reweigh(-candidates.logits)
    apply_native(candidates, c.llama_sampler_init_top_k(1))
    assert ids_of(candidates) == {2}


def test_the_selected_one_is_named_by_its_id() -> None:
    candidates = filled([0.0, 9.0, 0.0])
    candidates.keep(candidates.ids > 0)
    apply_native(candidates, c.llama_sampler_init_greedy())
    assert candidates.selected == 1


def test_a_new_position_forgets_the_last() -> None:
    candidates = filled([1.0, 2.0, 3.0])
    apply_native(candidates, c.llama_sampler_init_xtc(1.0, 0.01, 1, 7))
    apply_native(candidates, c.llama_sampler_init_greedy())
    candidates.fill(rows.row([7.0, 8.0, 9.0]))
    assert logits_of(candidates) == {0: 7.0, 1: 8.0, 2: 9.0}
    assert candidates.selected is None


@given(rows.logit_lists)
def test_the_best_is_the_likeliest_and_the_first_of_equals(logits: list[float]) -> None:
    assert filled(logits).best() == logits.index(max(logits))
