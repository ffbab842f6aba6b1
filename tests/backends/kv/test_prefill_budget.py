"""How much of the waiting prompts one step reads: bounded always, learned from what steps cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.backends.kv.fair_shares import MIN_SLICE
from modules.backends.kv.prefill_budget import GAP, IDLE_SECONDS, MOST_SECONDS, PrefillBudget

LIMIT = 512
STEP = 0.010
TOKEN = 0.002


def learned(*, limit: int = LIMIT, step: float = STEP, token: float = TOKEN) -> PrefillBudget:
    """A budget that has seen a machine with these costs for long enough."""
    budget = PrefillBudget(limit)
    for _ in range(40):
        budget.learn(seconds=step, decoded=4, read=0)
        budget.learn(seconds=100 * token, decoded=0, read=100)
    return budget


@given(
    st.lists(st.tuples(st.floats(1e-6, 30), st.integers(0, 8), st.integers(0, LIMIT)), max_size=20),
    st.integers(0, 8),
    st.integers(0, 8),
)
def test_a_slice_is_never_too_small_nor_too_large(
    steps: list[tuple[float, int, int]], decoding: int, prefilling: int
) -> None:
    budget = PrefillBudget(LIMIT)
    for seconds, decoded, read in steps:
        budget.learn(seconds=seconds, decoded=decoded, read=read)
    assert MIN_SLICE <= budget.slice_tokens(decoding=decoding, prefilling=prefilling) <= LIMIT


def test_beside_a_running_reply_a_step_takes_a_few_times_its_usual_time() -> None:
    tokens = learned().slice_tokens(decoding=1, prefilling=1)
    assert tokens * TOKEN == pytest.approx(STEP * (GAP - 1), abs=TOKEN)


def test_several_prompts_may_take_more_time_but_not_without_bound() -> None:
    budget = learned()
    one, two, many = (budget.slice_tokens(decoding=1, prefilling=count) for count in (1, 2, 12))
    assert two == pytest.approx(2 * one, abs=1)
    assert many == two


def test_alone_a_prompt_may_take_the_idle_time() -> None:
    tokens = learned().slice_tokens(decoding=0, prefilling=1)
    assert 0.8 * IDLE_SECONDS <= tokens * TOKEN <= IDLE_SECONDS


@pytest.mark.parametrize("token", [0.0002, 0.0005, 0.001])
def test_alone_whole_micro_batches_are_read(token: float) -> None:
    budget = PrefillBudget(LIMIT, unit=128)
    for _ in range(40):
        budget.learn(seconds=100 * token, decoded=0, read=100)
    tokens = budget.slice_tokens(decoding=0, prefilling=1)
    assert tokens % 128 == 0
    assert 0 < tokens * token <= IDLE_SECONDS


def test_a_slow_machine_reads_a_micro_batch_unless_that_takes_too_long() -> None:
    budget = PrefillBudget(LIMIT, unit=128)
    for _ in range(40):
        budget.learn(seconds=100 * 0.004, decoded=0, read=100)
    assert budget.slice_tokens(decoding=0, prefilling=1) == 128
    for _ in range(40):
        budget.learn(seconds=100 * 0.02, decoded=0, read=100)
    assert budget.slice_tokens(decoding=0, prefilling=1) * 0.02 == pytest.approx(MOST_SECONDS, abs=0.02)


def test_even_beside_slow_replies_a_step_takes_no_more_than_so_long() -> None:
    tokens = learned(step=1.0).slice_tokens(decoding=1, prefilling=1)
    assert tokens * TOKEN <= MOST_SECONDS


def test_a_machine_that_becomes_slower_gets_smaller_slices() -> None:
    budget = learned(step=2 * STEP)
    before = budget.slice_tokens(decoding=1, prefilling=1)
    for _ in range(20):
        budget.learn(seconds=100 * 4 * TOKEN, decoded=0, read=100)
    assert budget.slice_tokens(decoding=1, prefilling=1) == pytest.approx(before / 4, abs=1)


def test_what_running_replies_cost_is_not_held_against_the_prompt() -> None:
    budget = learned()
    before = budget.slice_tokens(decoding=0, prefilling=1)
    for _ in range(20):
        budget.learn(seconds=STEP + 100 * TOKEN, decoded=4, read=100)
    assert budget.slice_tokens(decoding=0, prefilling=1) == pytest.approx(before, abs=2)


def test_the_first_slice_is_careful() -> None:
    assert PrefillBudget(LIMIT).slice_tokens(decoding=0, prefilling=1) < LIMIT
    assert PrefillBudget(16).slice_tokens(decoding=0, prefilling=1) == 16


def test_a_step_that_can_be_given_up_is_longer_until_one_was() -> None:
    budget = PrefillBudget(LIMIT, unit=64, stoppable=256)
    for _ in range(40):
        budget.learn(seconds=100 * TOKEN, decoded=0, read=100)
    assert budget.slice_tokens(decoding=0, prefilling=1) == 256
    assert budget.seconds(256) == pytest.approx(256 * TOKEN)
    budget.give_up()
    # None is given up after it, and no more is read in one step, until as much was read as may have been lost.
    for _ in range(4):
        assert not budget.can_stop
        assert budget.slice_tokens(decoding=0, prefilling=1) == 64
        budget.learn(seconds=64 * TOKEN, decoded=0, read=64)
    assert budget.can_stop
    assert budget.slice_tokens(decoding=0, prefilling=1) == 256


def test_a_step_that_can_be_given_up_takes_no_more_than_so_long() -> None:
    budget = PrefillBudget(LIMIT, stoppable=LIMIT)
    for _ in range(40):
        budget.learn(seconds=100 * 4 * TOKEN, decoded=0, read=100)
    assert budget.slice_tokens(decoding=0, prefilling=1) * 4 * TOKEN <= MOST_SECONDS
    assert not PrefillBudget(LIMIT).can_stop
