"""A whole chain on a row of logits: what holds for all settings, and what a job can rely on."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from modules.backends.sampling.candidates import RowCandidates
from modules.backends.sampling.logprobs import Row
from modules.backends.sampling.row_sampler import RowSampler
from modules.backends.sampling.stages import SamplerFacts, Stages
from modules.errors import EngineFailed
from modules.sampling import SAMPLER_ORDER, Sampling
from tests.backends.sampling import rows
from tests.backends.sampling.rows import row

FACTS = SamplerFacts(vocabulary=24, context=64, prompt=(1, 2))
STRENGTHS: dict[str, st.SearchStrategy[Any]] = {
    "temperature": st.floats(0.05, 5),
    "dynamic_temperature": st.booleans(),
    "dynatemp_low": st.floats(0, 2),
    "dynatemp_high": st.floats(0, 5),
    "smoothing_factor": st.floats(0, 10),
    "smoothing_curve": st.floats(1, 10),
    "top_p": st.floats(0, 1),
    "top_k": st.integers(0, 30),
    "min_p": st.floats(0, 1),
    "top_n_sigma": st.floats(0, 5),
    "typical_p": st.floats(0, 1),
    "xtc_threshold": st.floats(0, 0.5),
    "xtc_probability": st.floats(0, 1),
    "epsilon_cutoff": st.floats(0, 5000),
    "eta_cutoff": st.floats(0, 5000),
    "tfs": st.floats(0, 1),
    "top_a": st.floats(0, 1),
    "adaptive_target": st.floats(0, 1),
    "dry_multiplier": st.floats(0, 5),
    "dry_allowed_length": st.integers(0, 5),
    "repetition_penalty": st.floats(1, 1.5),
    "frequency_penalty": st.floats(-2, 2),
    "presence_penalty": st.floats(-2, 2),
    "encoder_repetition_penalty": st.floats(0.8, 1.5),
    "no_repeat_ngram_size": st.integers(0, 5),
    "mirostat_mode": st.sampled_from([0, 1, 2]),
    "mirostat_tau": st.floats(0, 10),
    "do_sample": st.booleans(),
    "sampler_priority": st.permutations(SAMPLER_ORDER).map(tuple),
    "temperature_last": st.booleans(),
}


@st.composite
def samplings(draw: st.DrawFn) -> Sampling:
    chosen = draw(st.sets(st.sampled_from(sorted(STRENGTHS)), max_size=10))
    return Sampling(seed=draw(st.integers(0, 99)), **{name: draw(STRENGTHS[name]) for name in sorted(chosen)})


def sampler_for(sampling: Sampling) -> RowSampler:
    return RowSampler(sampling, FACTS, sampling.seed)


def left(logits: Sequence[float], history: Sequence[int] = (), **parameters: Any) -> rows.Weights:
    sampler = sampler_for(Sampling(seed=1, **parameters))
    sampler.sample(row(logits), history)
    ids, logprobs = sampler.remaining
    return dict(zip(ids.tolist(), np.exp(logprobs).tolist(), strict=True))


@given(samplings(), rows.with_impossible, st.lists(st.integers(0, 23), max_size=20))
def test_something_possible_is_always_drawn(sampling: Sampling, logits: list[float], history: list[int]) -> None:
    before = row(logits)
    sampler = sampler_for(sampling)
    for _ in range(3):
        token = sampler.sample(before, history)
        assert logits[token] > rows.IMPOSSIBLE
        ids, logprobs = sampler.remaining
        assert token in ids
        assert np.exp(logprobs).sum() == pytest.approx(1)
        sampler.accept(token)
    assert before.tolist() == row(logits).tolist()


@given(samplings(), st.lists(st.integers(-800, 800), unique=True, min_size=1, max_size=24), st.randoms())
def test_the_order_of_candidates_does_not_matter(sampling: Sampling, eighths: list[int], numbers: Any) -> None:
    """What a backend hands over may be sorted, or only a part of the vocabulary. Among equals any may be kept."""
    logits = row([each / 64 for each in eighths])
    shuffled = list(range(len(logits)))
    numbers.shuffle(shuffled)

    def kept(order: Sequence[int]) -> Row:
        candidates = RowCandidates(logits[order], np.asarray(order, dtype=np.int32))
        for stage in Stages[RowCandidates](sampling, FACTS, sampling.seed).build():
            possible = candidates.logits[np.isfinite(candidates.logits)]
            assume(np.diff(np.sort(possible)).min(initial=1) > 1e-3)
            stage(candidates, (1, 2, 3, 1, 2))
        result = np.full(24, -np.inf, dtype=np.float32)
        result[candidates.ids] = candidates.logits
        return result

    assert kept(shuffled) == pytest.approx(kept(range(len(logits))), rel=1e-4, abs=1e-4)


@given(rows.logit_lists, st.sets(st.integers(0, 23)), st.dictionaries(st.integers(0, 23), st.floats(-5, 5)))
def test_greedy_is_the_likeliest_that_is_allowed(logits: list[float], banned: set[int], bias: dict[int, float]) -> None:
    size = len(logits)
    allowed = [token for token in range(size) if token not in banned] or [0]
    sampling = Sampling(
        temperature=0,
        banned_tokens=tuple(token for token in range(size) if token not in allowed),
        logit_bias={token: value for token, value in bias.items() if token < size},
    )
    biased = row(logits) + row([sampling.logit_bias.get(token, 0.0) for token in range(size)])
    assert sampler_for(sampling).sample(row(logits), ()) == max(allowed, key=lambda token: (biased[token], -token))


def test_draws_follow_the_distribution() -> None:
    weights = rows.probabilities([2.0, 1.0, 0.0, -1.0])
    sampler = sampler_for(Sampling(seed=3))
    counts = Counter(sampler.sample(row([2.0, 1.0, 0.0, -1.0]), ()) for _ in range(5000))
    assert {token: counts[token] / 5000 for token in weights} == pytest.approx(weights, abs=0.025)


def test_a_seed_repeats_itself_and_none_does_not() -> None:
    def drawn(seed: int | None) -> tuple[int, ...]:
        sampler = sampler_for(Sampling(seed=seed))
        return tuple(sampler.sample(row([0.0] * 24), ()) for _ in range(20))

    assert drawn(5) == drawn(5) != drawn(6)
    assert len({drawn(None) for _ in range(5)}) > 1


def test_banning_everything_is_refused() -> None:
    with pytest.raises(EngineFailed, match="exclude all"):
        sampler_for(Sampling(banned_tokens=(0, 1))).sample(row([1.0, 2.0]), ())


def test_no_repeat_ngram_bans_nothing_where_only_banned_tokens_would_be_left() -> None:
    assert set(left([1.0, 2.0, 3.0], (1, 2), no_repeat_ngram_size=1, banned_tokens=(0,))) == {0, 1, 2}
    assert left([1.0, 2.0, 3.0], (1, 2), no_repeat_ngram_size=1, banned_tokens=(0,))[0] == 0


class TestDryBreakers:
    HISTORY = (1, 2, 3, 9, 4, 1, 2)

    def lowered(self, breakers: tuple[tuple[int, ...], ...], history: Sequence[int] = HISTORY) -> dict[int, float]:
        """By how much each token's logit falls."""
        sampling = Sampling(dry_multiplier=1.0, dry_base=2.0, dry_allowed_length=1)
        stage = Stages[RowCandidates](sampling, SamplerFacts(24, 64, breakers=breakers), 1).dry()
        assert stage is not None
        candidates = RowCandidates(row([0.0] * 24))
        stage(candidates, history)
        return {token: -value for token, value in enumerate(candidates.logits.tolist()) if value}

    def test_without_any(self) -> None:
        assert self.lowered(()) == {3: 2.0}

    def test_a_repetition_does_not_reach_over_one(self) -> None:
        assert self.lowered(((1,),)) == {3: 1.0}

    def test_one_of_several_tokens(self) -> None:
        assert self.lowered(((4, 1),)) == {3: 1.0}
        assert self.lowered(((4, 2),)) == {3: 2.0}
        # One that is not complete breaks nothing.
        assert self.lowered(((2, 7),)) == {3: 2.0}

    def test_the_longest_that_begins_at_a_place_counts(self) -> None:
        assert self.lowered(((4,), (4, 1))) == {3: 1.0}

    def test_nothing_is_penalised_right_after_one(self) -> None:
        assert self.lowered(((2,),)) == {}

    def test_a_breaker_itself_is_not_penalised(self) -> None:
        assert self.lowered(((3,),)) == {}
        assert self.lowered(((3, 9),)) == {3: 2.0}

    def test_empty_ones_break_nothing(self) -> None:
        assert self.lowered(((), (8,))) == {3: 2.0}

    @given(st.lists(st.integers(0, 3), max_size=40), st.integers(0, 5))
    def test_lengths_of_repetitions(self, history: list[int], breaker: int) -> None:
        """The same by trying every earlier place."""
        since = history[::-1].index(breaker) if breaker in history else len(history)
        expected: dict[int, float] = {}
        for at in range(len(history) - 1):
            same = 0
            while same <= at and history[at - same] == history[-1 - same]:
                same += 1
            length = min(same, since)
            if length >= 1 and history[at + 1] != breaker:
                penalty = 2.0 ** (length - 1)
                expected[history[at + 1]] = max(penalty, expected.get(history[at + 1], 0))
        assert self.lowered(((breaker,),), history) == expected
