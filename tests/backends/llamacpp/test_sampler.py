"""Every sampling parameter, alone and in order, against the distribution that it should leave."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.backends.llamacpp.sampling.candidates import Candidates
from modules.backends.llamacpp.sampling.native_stages import SamplerVocabulary
from modules.backends.llamacpp.sampling.sampler import sampler_of
from modules.backends.sampling.job_sampler import JobSampler
from modules.engine.types import Generation, Prompt
from modules.sampling import SAMPLER_ORDER, Sampling
from tests.backends.sampling import rows
from tests.backends.sampling.rows import IMPOSSIBLE, Weights, probabilities, row

END = 0
LOGITS = (0.5, 4.0, 3.0, 2.5, 2.0, 1.0, 0.0, -1.0, -2.0, -4.0)
SIZE = len(LOGITS)
WEIGHTS = probabilities(LOGITS)
NEUTRAL = rows.as_array(WEIGHTS)


def sampler_for(
    sampling: Sampling, *, history: Sequence[int] = (5,), prompt: Sequence[int] | None = None, **fields: Any
) -> JobSampler:
    tokens = tuple(history if prompt is None else prompt)
    generation = Generation(prompt=Prompt(tokens), sampling=sampling, **fields)
    vocabulary = SamplerVocabulary(pointer=None, size=SIZE, ends=(END,), context=64)
    return sampler_of(generation, list(history), vocabulary, Candidates(SIZE))


def left(logits: Sequence[float] = LOGITS, history: Sequence[int] = (5,), **parameters: Any) -> Weights:
    """What the samplers leave to draw from; impossible tokens are left out."""
    sampler = sampler_for(Sampling(seed=1, **parameters), history=history, sampled_logprobs=True)
    with closing(sampler):
        sampler.sample(row(logits))
        assert sampler.remaining is not None
        ids, logprobs = sampler.remaining
    return {token: math.exp(value) for token, value in zip(ids.tolist(), logprobs.tolist(), strict=True) if value > -99}


def draws(sampling: Sampling, logits: Sequence[float] = LOGITS, **fields: Any) -> Iterator[int]:
    """Tokens drawn one after the other, each told to the sampler."""
    with closing(sampler_for(sampling, **fields)) as sampler:
        while True:
            token = sampler.sample(row(logits))
            sampler.accept(token)
            yield token


def drawn(count: int, sampling: Sampling, logits: Sequence[float] = LOGITS, **fields: Any) -> list[int]:
    return list(islice(draws(sampling, logits, **fields), count))


def renormalised(kept: set[int], weights: Weights = WEIGHTS) -> Weights:
    total = sum(weights[token] for token in kept)
    return {token: weights[token] / total for token in kept}


def scaled(temperature: float) -> Weights:
    return probabilities([x / temperature for x in LOGITS])


def approx(weights: Weights) -> Any:
    return pytest.approx(weights, rel=1e-3, abs=1e-6)


class TestEachAlone:
    def test_neutral_settings_change_nothing(self) -> None:
        assert left() == approx(WEIGHTS)

    @pytest.mark.parametrize("temperature", [0.3, 0.9, 1.5, 5.0])
    def test_temperature(self, temperature: float) -> None:
        assert left(temperature=temperature) == approx(scaled(temperature))

    @pytest.mark.parametrize(("low", "high", "exponent"), [(0.5, 1.5, 1.0), (0.1, 3.0, 2.0), (0.7, 0.7, 1.0)])
    def test_dynamic_temperature(self, low: float, high: float, exponent: float) -> None:
        share = rows.entropy(WEIGHTS) / math.log(SIZE)
        expected = scaled(low + (high - low) * share**exponent)
        changed = left(dynamic_temperature=True, dynatemp_low=low, dynatemp_high=high, dynatemp_exponent=exponent)
        assert changed == approx(expected)

    def test_smoothing(self) -> None:
        bent = {t: 4.0 - (0.3 * 0.5 * (4.0 - x) ** 2 + 0.3 * 0.5 * (4.0 - x) ** 3) for t, x in enumerate(LOGITS)}
        assert left(smoothing_factor=0.3, smoothing_curve=2.0) == approx(rows.softmax(bent))

    @pytest.mark.parametrize("p", [0.1, 0.5, 0.8, 0.99])
    def test_top_p(self, p: float) -> None:
        assert left(top_p=p) == approx(renormalised(rows.nucleus(WEIGHTS, p)))

    @pytest.mark.parametrize("k", [2, 3, 100])
    def test_top_k(self, k: int) -> None:
        assert left(top_k=k) == approx(renormalised(set(rows.likeliest_first(WEIGHTS)[:k])))

    @pytest.mark.parametrize("p", [0.05, 0.3, 1.0])
    def test_min_p(self, p: float) -> None:
        least = p * max(WEIGHTS.values())
        assert left(min_p=p) == approx(renormalised({t for t, weight in WEIGHTS.items() if weight >= least}))

    @pytest.mark.parametrize("sigmas", [0.5, 1.0, 2.0])
    def test_top_n_sigma(self, sigmas: float) -> None:
        least = max(LOGITS) - sigmas * float(np.std(LOGITS))
        assert left(top_n_sigma=sigmas) == approx(renormalised({t for t, x in enumerate(LOGITS) if x >= least}))

    @pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
    def test_typical_p(self, p: float) -> None:
        assert left(typical_p=p) == approx(renormalised(rows.typical(WEIGHTS, p)))

    @pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
    def test_typical_p_beside_impossible_tokens(self, p: float) -> None:
        logits = [*LOGITS[:8], IMPOSSIBLE, -200.0]
        weights = {token: weight for token, weight in probabilities(logits).items() if token < 8}
        assert left(logits, typical_p=p) == approx(renormalised(rows.typical(weights, p), weights))

    @pytest.mark.parametrize("threshold", [0.1, 0.2, 0.4])
    def test_xtc(self, threshold: float) -> None:
        above = [token for token in rows.likeliest_first(WEIGHTS) if WEIGHTS[token] >= threshold]
        expected = set(WEIGHTS) - set(above[:-1])
        assert left(xtc_probability=1.0, xtc_threshold=threshold) == approx(renormalised(expected))

    def test_xtc_by_chance(self) -> None:
        outcomes = Counter(drawn(400, Sampling(seed=4, xtc_probability=0.5, xtc_threshold=0.1, top_k=2)))
        second = renormalised({1, 2})[2]
        assert outcomes[2] / 400 == pytest.approx(0.5 + 0.5 * second, abs=0.07)

    @pytest.mark.parametrize("epsilon", [9.0, 500.0])
    def test_epsilon_cutoff(self, epsilon: float) -> None:
        expected = {t for t, weight in WEIGHTS.items() if weight >= epsilon * 1e-4}
        assert left(epsilon_cutoff=epsilon) == approx(renormalised(expected))

    @pytest.mark.parametrize("eta", [20.0, 900.0])
    def test_eta_cutoff(self, eta: float) -> None:
        unit = eta * 1e-4
        least = min(unit, math.sqrt(unit) * math.exp(-rows.entropy(WEIGHTS)))
        assert left(eta_cutoff=eta) == approx(renormalised({t for t, weight in WEIGHTS.items() if weight >= least}))

    @pytest.mark.parametrize("z", [0.3, 0.9])
    def test_tfs(self, z: float) -> None:
        assert left(tfs=z) == approx(renormalised(rows.tail_free(WEIGHTS, z)))

    def test_top_a(self) -> None:
        least = 0.2 * max(WEIGHTS.values()) ** 2
        assert left(top_a=0.2) == approx(renormalised({t for t, weight in WEIGHTS.items() if weight >= least}))

    def test_encoder_repetition_penalty(self) -> None:
        raised = [x if t not in (5, 7) else (x / 1.2 if x < 0 else x * 1.2) for t, x in enumerate(LOGITS)]
        assert left(history=(5, 7), encoder_repetition_penalty=1.2) == approx(probabilities(raised))

    def test_no_repeat_ngram_size(self) -> None:
        assert left(history=(1, 2, 3, 1, 2), no_repeat_ngram_size=3) == approx(renormalised(set(range(SIZE)) - {3}))

    @pytest.mark.parametrize("field", ["adaptive_target", "mirostat_mode"])
    def test_selectors_leave_the_distribution_to_themselves(self, field: str) -> None:
        parameters: dict[str, Any] = {field: 1}
        assert left(**parameters) == approx(WEIGHTS)


class TestPenalties:
    HISTORY = (1, 2, 2, 6, 8)

    def expected(self, penalise: Callable[[float, int], float], last: int = 99) -> Weights:
        counts = Counter(self.HISTORY[-last:])
        return probabilities([penalise(x, counts[t]) if counts[t] else x for t, x in enumerate(LOGITS)])

    def test_repetition(self) -> None:
        changed = left(history=self.HISTORY, repetition_penalty=1.3)
        assert changed == approx(self.expected(lambda x, _: x * 1.3 if x <= 0 else x / 1.3))

    def test_presence(self) -> None:
        changed = left(history=self.HISTORY, presence_penalty=0.7)
        assert changed == approx(self.expected(lambda x, _: x - 0.7))

    def test_frequency(self) -> None:
        changed = left(history=self.HISTORY, frequency_penalty=0.7)
        assert changed == approx(self.expected(lambda x, count: x - 0.7 * count))

    @pytest.mark.parametrize(("reach", "last"), [(2, 2), (4, 4), (0, 99), (1024, 99)])
    def test_range_and_that_zero_means_all(self, reach: int, last: int) -> None:
        changed = left(history=self.HISTORY, presence_penalty=1.0, repetition_penalty_range=reach)
        assert changed == approx(self.expected(lambda x, _: x - 1.0, last))

    def test_a_range_of_zero_reaches_over_a_whole_context(self) -> None:
        history = [2, *[1] * 62]
        changed = left(history=history, presence_penalty=50.0, repetition_penalty_range=0)
        assert changed[2] < 1e-9

    @pytest.mark.parametrize("name", ["presence_penalty", "frequency_penalty"])
    def test_they_act_without_repetition_penalty_in_the_order(self, name: str) -> None:
        penalty: dict[str, Any] = {name: 0.7}
        changed = left(history=self.HISTORY, sampler_priority=(name, "temperature"), **penalty)
        assert changed == approx(left(history=self.HISTORY, **penalty))
        assert changed != approx(WEIGHTS)

    def test_what_was_said_counts_too(self) -> None:
        greedy = Sampling(do_sample=False, presence_penalty=1.5)
        assert drawn(4, greedy, history=[9]) == [1, 2, 1, 1]

    @pytest.mark.parametrize(("allowed", "factor"), [(1, 1.75), (2, 1.0), (3, 0.0)])
    def test_dry(self, allowed: int, factor: float) -> None:
        changed = left(
            history=(1, 2, 3, 9, 1, 2), dry_multiplier=0.8, dry_allowed_length=allowed, dry_sequence_breakers=()
        )
        assert changed == approx(probabilities([x - 0.8 * factor * (t == 3) for t, x in enumerate(LOGITS)]))

    def test_greedy_replies_are_penalised_as_well(self) -> None:
        assert drawn(1, Sampling(temperature=0, presence_penalty=3.0), history=[1]) == [2]
        assert drawn(1, Sampling(temperature=0, dry_multiplier=9.0, dry_sequence_breakers=()), history=[1] * 5) == [2]
        assert drawn(1, Sampling(temperature=0, no_repeat_ngram_size=1), history=[1]) == [2]


class TestOrder:
    def test_temperature_before_or_after_top_p(self) -> None:
        flat = scaled(3.0)
        first = left(temperature=3.0, top_p=0.6, sampler_priority=("temperature", "top_p"))
        last = left(temperature=3.0, top_p=0.6, sampler_priority=("top_p", "temperature"))
        assert first == approx(renormalised(rows.nucleus(flat, 0.6), flat))
        assert last == approx(renormalised(rows.nucleus(WEIGHTS, 0.6), flat))
        assert set(first) > set(last)

    def test_temperature_last(self) -> None:
        moved = left(temperature=3.0, top_p=0.6, temperature_last=True, sampler_priority=("temperature", "top_p"))
        assert moved == left(temperature=3.0, top_p=0.6, sampler_priority=("top_p", "temperature"))

    def test_ours_and_llama_cpps_take_turns(self) -> None:
        order = ("top_k", "top_a", "temperature", "eta_cutoff", "min_p")
        cut = left(top_k=8, top_a=0.01, temperature=0.8, eta_cutoff=1.0, min_p=0.01, sampler_priority=order)
        assert cut == approx(renormalised(set(cut), scaled(0.8)))
        assert 1 < len(cut) < 8

    @pytest.mark.parametrize(
        ("name", "parameters"),
        [
            ("temperature", {"temperature": 0.5}),
            ("dynamic_temperature", {"dynamic_temperature": True, "dynatemp_high": 3.0}),
            ("quadratic_sampling", {"smoothing_factor": 0.5}),
            ("top_k", {"top_k": 2}),
            ("top_p", {"top_p": 0.3}),
            ("typical_p", {"typical_p": 0.3}),
            ("epsilon_cutoff", {"epsilon_cutoff": 900.0}),
            ("eta_cutoff", {"eta_cutoff": 900.0}),
            ("tfs", {"tfs": 0.3}),
            ("top_a", {"top_a": 0.9}),
            ("min_p", {"min_p": 0.5}),
            ("top_n_sigma", {"top_n_sigma": 0.5}),
            ("xtc", {"xtc_probability": 1.0}),
            ("dry", {"dry_multiplier": 5.0, "dry_sequence_breakers": ()}),
            ("repetition_penalty", {"repetition_penalty": 1.5}),
            ("encoder_repetition_penalty", {"encoder_repetition_penalty": 1.5}),
            ("no_repeat_ngram", {"no_repeat_ngram_size": 1}),
        ],
    )
    def test_a_name_left_out_does_not_run(self, name: str, parameters: dict[str, Any]) -> None:
        history = (1, 2, 1, 2, 1, 2, 1)
        assert left(history=history, **parameters) != approx(WEIGHTS)
        without = tuple(other for other in SAMPLER_ORDER if other != name)
        assert left(history=history, sampler_priority=without, **parameters) == approx(WEIGHTS)

    def test_a_name_given_twice_runs_once(self) -> None:
        twice = ("repetition_penalty", "temperature", "repetition_penalty", "temperature")
        once = ("repetition_penalty", "temperature")
        changed = left(temperature=2.0, repetition_penalty=1.5, sampler_priority=twice)
        assert changed == left(temperature=2.0, repetition_penalty=1.5, sampler_priority=once)
        assert changed != approx(scaled(2.0))

    def test_unknown_names_are_passed_over(self) -> None:
        assert left(top_k=2, sampler_priority=("nonsense", "top_k")) == left(top_k=2)


class TestChoice:
    @pytest.mark.parametrize(
        "greedy", [Sampling(temperature=0), Sampling(do_sample=False), Sampling(top_k=1), Sampling(top_p=0.0)]
    )
    def test_greedy_is_the_likeliest(self, greedy: Sampling) -> None:
        assert drawn(3, greedy) == [1, 1, 1]

    def test_draws_follow_the_distribution(self) -> None:
        counts = Counter(drawn(5000, Sampling(seed=3)))
        observed = np.asarray([counts[token] / 5000 for token in range(SIZE)])
        assert observed == pytest.approx(NEUTRAL, abs=0.025)

    def test_a_seed_repeats_itself_and_no_other(self) -> None:
        first, again, other = (drawn(20, Sampling(seed=seed)) for seed in (5, 5, 6))
        assert first == again != other

    @pytest.mark.parametrize("seed", [0, 2**31, 2**32 - 1, 2**32, 2**63, -1])
    def test_seeds_of_any_size(self, seed: int) -> None:
        assert drawn(20, Sampling(seed=seed)) == drawn(20, Sampling(seed=seed))

    def test_without_a_seed_every_time_is_another(self) -> None:
        assert len({tuple(drawn(20, Sampling())) for _ in range(5)}) > 1

    @pytest.mark.parametrize("mode", [1, 2])
    def test_mirostat_holds_back_surprise(self, mode: int) -> None:
        calm = Counter(drawn(300, Sampling(seed=1, mirostat_mode=mode, mirostat_tau=0.1)))
        wild = Counter(drawn(300, Sampling(seed=1, mirostat_mode=mode, mirostat_tau=2.0)))
        assert calm[1] > wild[1]
        assert len(calm) < len(wild)

    def test_adaptive_p_favours_tokens_near_its_target(self) -> None:
        target = WEIGHTS[4]
        near = Counter(drawn(300, Sampling(seed=1, adaptive_target=target, adaptive_decay=0.5)))
        assert near[4] + near[5] > near[1]
        assert Counter(drawn(300, Sampling(seed=1)))[1] > 100


class TestBiasAndBans:
    def test_a_large_bias_forces(self) -> None:
        assert set(drawn(50, Sampling(seed=1, logit_bias={9: 100.0}))) == {9}

    def test_a_small_bias_is_added(self) -> None:
        raised = [x + 1.5 * (t == 6) - 2.0 * (t == 1) for t, x in enumerate(LOGITS)]
        assert left(logit_bias={6: 1.5, 1: -2.0}) == approx(probabilities(raised))

    OTHERS = (
        {"temperature": 5.0},
        {"typical_p": 0.5},
        {"mirostat_mode": 2},
        {"xtc_probability": 1, "xtc_threshold": 0},
    )

    @pytest.mark.parametrize("others", [{}, *OTHERS])
    def test_what_is_banned_never_appears(self, others: dict[str, Any]) -> None:
        banned = Sampling(seed=1, banned_tokens=(1, 2, 3), logit_bias={2: 100.0}, **others)
        assert not {1, 2, 3} & set(drawn(300, banned))

    def test_no_end_before_its_time(self) -> None:
        eager = Sampling(seed=1, logit_bias={END: 100.0})
        assert drawn(4, eager) == [END] * 4
        tokens = drawn(4, eager, min_tokens=3)
        assert END not in tokens[:3]
        assert tokens[3] == END
        assert END not in drawn(50, eager, ignore_eos=True)


@st.composite
def settings_of_all_kinds(draw: st.DrawFn) -> Sampling:
    """Any values that the ranges of the parameters allow, several at once."""
    ranges: dict[str, st.SearchStrategy[Any]] = {
        "temperature": st.floats(0, 5),
        "dynamic_temperature": st.booleans(),
        "dynatemp_low": st.floats(0, 5),
        "dynatemp_high": st.floats(0, 5),
        "dynatemp_exponent": st.floats(0.01, 5),
        "smoothing_factor": st.floats(0, 10),
        "smoothing_curve": st.floats(1, 10),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(0, 200),
        "min_p": st.floats(0, 1),
        "top_n_sigma": st.floats(0, 5),
        "typical_p": st.floats(0, 1),
        "xtc_threshold": st.floats(0, 0.5),
        "xtc_probability": st.floats(0, 1),
        "epsilon_cutoff": st.floats(0, 9),
        "eta_cutoff": st.floats(0, 20),
        "tfs": st.floats(0, 1),
        "top_a": st.floats(0, 1),
        "adaptive_target": st.floats(0, 1),
        "adaptive_decay": st.floats(0, 0.99),
        "dry_multiplier": st.floats(0, 5),
        "dry_allowed_length": st.integers(1, 20),
        "dry_base": st.floats(1, 4),
        "repetition_penalty": st.floats(1, 1.5),
        "frequency_penalty": st.floats(-2, 2),
        "presence_penalty": st.floats(-2, 2),
        "repetition_penalty_range": st.integers(0, 4096),
        "encoder_repetition_penalty": st.floats(0.8, 1.5),
        "no_repeat_ngram_size": st.integers(0, 20),
        "mirostat_mode": st.sampled_from([0, 1, 2]),
        "mirostat_tau": st.floats(0, 10),
        "mirostat_eta": st.floats(0, 1),
        "do_sample": st.booleans(),
        "temperature_last": st.booleans(),
        "sampler_priority": st.permutations(SAMPLER_ORDER).map(tuple),
        "seed": st.none() | st.integers(0, 2**64 - 1),
        "logit_bias": st.dictionaries(st.integers(0, SIZE - 1), st.floats(-100, 100), max_size=3),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(ranges)), max_size=12))
    # Breakers need a real vocabulary; the tests with models try them.
    return Sampling(
        banned_tokens=(3,), dry_sequence_breakers=(), **{name: draw(ranges[name]) for name in sorted(chosen)}
    )


@given(settings_of_all_kinds(), st.lists(st.floats(-40, 40, width=32), min_size=SIZE, max_size=SIZE), st.booleans())
@settings(max_examples=400)
def test_every_combination_draws_something_that_may_be_drawn(
    sampling: Sampling, logits: list[float], reports: bool
) -> None:
    tokens = drawn(5, sampling, logits, history=[1, 2, 1, 2], sampled_logprobs=reports, ignore_eos=True)
    assert not {3, END} & set(tokens)
    assert all(0 <= token < SIZE for token in tokens)
