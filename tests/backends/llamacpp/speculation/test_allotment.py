"""Drafts are as long as makes the most tokens per second of a step."""

import pytest

from modules.backends.llamacpp.speculation.allotment import allot
from modules.backends.llamacpp.speculation.costs import StepCosts


def costs(**seconds: float) -> StepCosts:
    made = StepCosts()
    for width, each in seconds.items():
        for _ in range(3):
            made.learn(int(width[1:]), each)
    return made


# Steps of a small model on two cores: wide ones pay only when nearly all of it comes true.
STEEP = costs(w1=1, w2=2.3, w4=3.2, w8=4.2, w16=5.6, w32=11.1)
# And on a graphics card, where the weights are what a step waits for.
FLAT = costs(w1=1, w2=1.02, w4=1.05, w8=1.1, w16=1.3, w32=2)


@pytest.mark.parametrize(
    ("step_costs", "chance", "least", "most"),
    [(STEEP, 0.99, 15, 31), (STEEP, 0.6, 0, 0), (STEEP, 0.3, 0, 0), (FLAT, 0.3, 1, 5), (FLAT, 0.02, 0, 0)],
)
def test_length_by_cost_and_chance(step_costs: StepCosts, chance: float, least: int, most: int) -> None:
    (length,) = allot([[chance] * 32], step_costs, width=1, tokens=1, rows=32)
    assert least <= length <= most


def test_the_likelier_draft_gets_the_rows() -> None:
    assert allot([[0.5] * 32, [0.99] * 32], FLAT, width=2, tokens=2, rows=8)[1] >= 6


def test_rows_bound_all_drafts_together() -> None:
    lengths = allot([[0.99] * 32] * 5, FLAT, width=5, tokens=5, rows=12)
    assert sum(lengths) <= 12


def test_a_wider_step_may_be_the_cheaper_one() -> None:
    tiled = costs(w1=1, w6=4.7, w8=4.2)
    assert allot([[0.97] * 7], tiled, width=1, tokens=1, rows=32) == [7]


def test_nothing_to_draft() -> None:
    assert allot([], FLAT, width=1, tokens=1, rows=32) == []
    assert allot([[], []], FLAT, width=2, tokens=2, rows=32) == [0, 0]
