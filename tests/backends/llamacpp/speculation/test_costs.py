"""Steps cost what was measured, and in between what lies between."""

import pytest

from modules.backends.llamacpp.speculation.allotment import allot
from modules.backends.llamacpp.speculation.costs import StepCosts


def test_nothing_is_known_at_first() -> None:
    assert not StepCosts().is_known


def test_what_was_measured_counts_and_the_rest_lies_on_lines() -> None:
    costs = StepCosts()
    costs.learn(1, 1.0)
    assert costs.of(1) == 1.0
    assert costs.of(5) > 1.0
    for _ in range(3):
        costs.learn(5, 3.0)
    assert costs.of(3) == pytest.approx(2.0)
    assert costs.of(9) == pytest.approx(3.0 * 1.08)


def test_wide_steps_are_tried_where_the_least_draft_is_dear() -> None:
    """Kernels may compute two tokens as two steps, and eight in the time of four."""
    costs = StepCosts()
    costs.learn(1, 1.0)
    for _ in range(3):
        costs.learn(2, 2.3)
    chances = [0.95] * 15
    assert allot([chances], costs, width=1, tokens=1, rows=31) == [15]
    for _ in range(3):
        costs.learn(16, 30.0)
    assert allot([chances], costs, width=1, tokens=1, rows=31) == [0]


def test_a_disturbed_measurement_is_forgotten_sooner_than_it_was_believed() -> None:
    costs = StepCosts()
    costs.learn(1, 1.0)
    costs.learn(1, 2.0)
    disturbed = costs.of(1)
    assert 1.0 < disturbed < 1.5
    costs.learn(1, 1.0)
    assert costs.of(1) - 1.0 < (disturbed - 1.0) * 0.6


def test_wider_steps_never_seem_to_cost_less() -> None:
    costs = StepCosts()
    costs.learn(1, 2.0)
    for _ in range(3):
        costs.learn(4, 1.0)
    assert costs.of(8) >= costs.of(4)
    assert costs.of(100) > 0


def test_widths_that_were_not_tried_cost_about_what_prompts_do() -> None:
    """Eight replies at once are known to cost much for each; without drafts nobody has to find out."""
    costs = StepCosts()
    for width, seconds in ((1, 6.0), (4, 19.0), (8, 27.0)):
        for _ in range(3):
            costs.learn(width, seconds)
    costs.learn_long(2.4)
    assert costs.of(16) == pytest.approx(27.0 + 8 * 2.4, rel=0.1)
    # A draft that fits three times in five gains less than it costs; one that nearly always fits is tried.
    assert allot([[0.6] * 8] * 8, costs, width=8, tokens=8, rows=31) == [0] * 8
    assert sum(allot([[0.97] * 8] * 8, costs, width=8, tokens=8, rows=31)) > 0
