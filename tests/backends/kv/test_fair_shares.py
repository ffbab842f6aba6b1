"""A short prompt does not wait for a long one, a long one is not starved, and streams go on: counted in tokens."""

import pytest

from modules.backends.kv.fair_shares import OLDEST_SHARE
from tests.backends.kv.cache_model import CacheModel, made, own

BUDGET = 128
SHORT = 40
LONG = 1500


def tokens_until(model: CacheModel, job_id: int) -> int:
    """What is computed before the job's first token is known."""
    before = model.computed_tokens
    while job_id in model.plays and not model.plays[job_id].said:
        model.step()
    return model.computed_tokens - before


def behind(long: int, *, cells: int = 8192) -> CacheModel:
    """A world that is reading a long prompt."""
    model = made(budget=BUDGET, cells=cells)
    model.add(0, own(100_000, long), length=4)
    model.step()
    return model


@pytest.mark.parametrize("long", [600, LONG, 6000])
def test_a_short_prompt_behind_a_long_one_costs_less_than_two_of_itself(long: int) -> None:
    model = behind(long)
    model.add(1, own(0, SHORT), length=4)
    assert tokens_until(model, 1) <= 2 * SHORT


def test_so_it_is_in_the_other_order() -> None:
    model = made(budget=BUDGET)
    model.add(0, own(0, SHORT), length=4)
    model.add(1, own(100_000, LONG), length=4)
    assert tokens_until(model, 0) <= 2 * SHORT


def test_several_short_ones_behind_a_long_one_share_a_step() -> None:
    model = behind(LONG)
    for job in range(1, 4):
        model.add(job, own(1000 * job, SHORT - job), length=4)
    model.step()
    assert [bool(model.plays[job].said) for job in range(4)] == [False, False, True, True]
    assert tokens_until(model, 1) <= SHORT


def test_a_middling_prompt_is_not_held_up_by_a_long_one_either() -> None:
    model = behind(6000)
    model.add(1, own(0, 500), length=4)
    assert tokens_until(model, 1) <= 2 * 500


def test_an_endless_row_of_short_ones_leaves_the_long_one_its_share() -> None:
    model = behind(LONG)
    coming = iter(range(1, 10_000))
    long = model.plays[0]
    before = model.computed_tokens
    while not long.said:
        if len(model.plays) < 4:
            job = next(coming)
            model.add(job, own(1000 * job, SHORT), length=1)
        model.step()
    assert model.computed_tokens - before <= (OLDEST_SHARE + 1) * LONG


def test_every_step_gives_a_running_reply_its_token() -> None:
    model = made(budget=BUDGET)
    model.add(0, own(0, 4), length=1000)
    model.step()
    model.add(1, own(100_000, LONG), length=4)
    for job in range(2, 6):
        model.add(job, own(1000 * job, SHORT), length=4)
    while len(model.plays) > 1:
        said = model.plays[0].said
        assert model.step().read <= BUDGET
        assert model.plays[0].said == said + 1


@pytest.mark.parametrize("streams", [1, 2, 4, 8, 16, 32])
def test_prompts_of_one_length_fill_the_steps(streams: int) -> None:
    """Fairness costs no steps where nobody would have to wait for anybody else."""
    model = made(budget=BUDGET, parallel=32)
    for job in range(streams):
        model.add(job, own(1000 * job, 64), length=2)
    steps = 0
    while any(not play.said for play in model.plays.values()):
        model.step()
        steps += 1
    assert steps <= streams * 64 / BUDGET + 2
