"""Log-probabilities: the sampled token first, its alternatives best first, impossible ones as they are."""

import math
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.backends.llamacpp.tokenizer import LlamaTokenizer
from modules.backends.sampling import logprobs
from modules.engine.types import TokenLogprob
from tests.backends.sampling import rows
from tests.backends.sampling.rows import probabilities, row


class Names:
    """Shows every token as its number."""

    def shown(self, token: int) -> bytes:
        return str(token).encode()


NAMES = cast("LlamaTokenizer", Names())


def log(p: float) -> float:
    return math.log(p) if p > 0 else -math.inf


def assert_ranked(scored: TokenLogprob, logits: list[float], wanted: int) -> None:
    weights = probabilities(logits)
    order = rows.likeliest_first(dict(enumerate(logits)))[:wanted]
    assert [alternative.token for alternative in scored.top] == order
    for alternative in scored.top:
        assert alternative.logprob == pytest.approx(log(weights[alternative.token]), abs=1e-4)
        assert alternative.data == str(alternative.token).encode()


@given(rows.with_impossible, st.integers(0, 30), st.data())
def test_from_raw_logits(logits: list[float], wanted: int, data: st.DataObject) -> None:
    token = data.draw(st.integers(0, len(logits) - 1))
    scored = logprobs.from_logits(row(logits), token, wanted, NAMES)
    assert (scored.token, scored.data) == (token, str(token).encode())
    assert scored.logprob == pytest.approx(log(probabilities(logits)[token]), abs=1e-4)
    assert_ranked(scored, logits, wanted)


def test_a_large_vocabulary_sums_to_one() -> None:
    logits = np.random.default_rng(2).normal(scale=4, size=150_000).astype(np.float32)
    total = sum(math.exp(a.logprob) for a in logprobs.from_logits(logits, 0, len(logits), NAMES).top)
    assert total == pytest.approx(1, abs=1e-4)


def test_no_alternatives_unless_asked_for() -> None:
    assert logprobs.from_logits(row([1.0, 2.0]), 0, 0, NAMES).top == ()


def test_from_what_the_samplers_left() -> None:
    remaining = np.asarray([7, 3, 5]), np.log([0.2, 0.5, 0.3])
    scored = logprobs.from_distribution(remaining, 5, 2, NAMES)
    assert [(a.token, round(math.exp(a.logprob), 6)) for a in scored.top] == [(3, 0.5), (5, 0.3)]
    assert math.exp(scored.logprob) == pytest.approx(0.3)


def test_a_token_that_the_samplers_removed_is_impossible() -> None:
    remaining = np.asarray([7]), np.zeros(1)
    assert logprobs.from_distribution(remaining, 5, 2, NAMES).logprob == -math.inf
