"""Drafts are asked for where they pay, and no longer where they do not."""

from collections.abc import Sequence

import pytest

from modules.backends.kv.plan import KvSlot, Slice
from modules.backends.llamacpp.speculation.planner import DraftPlanner, Seat
from modules.backends.llamacpp.speculation.source import Ask, Guess

RIGHT, WRONG = 7, 8
MOST = 4


class Source:
    """Drafts as many tokens as are wanted, of which the first `right` are right."""

    def __init__(self, *, right: int, seconds: float) -> None:
        self.right = right
        self._seconds = seconds
        self.asks: list[Ask] = []

    def propose(self, asks: Sequence[Ask], patience: float) -> dict[int, Guess]:
        self.asks += asks
        return {ask.job_id: Guess(self._tokens(ask.most), ask.most) for ask in asks}

    def seconds(self, count: int) -> float:
        return self._seconds

    def forget(self, job_id: int) -> None:
        pass

    def close(self) -> None:
        pass

    def _tokens(self, most: int) -> tuple[int, ...]:
        return tuple(RIGHT if at < self.right else WRONG for at in range(most))


def slot(job_id: int = 0) -> KvSlot:
    return KvSlot(job_id, [1, 2, 3], 2, computed=2)


def model_planner(source: Source, *, rows: int = 32) -> DraftPlanner:
    return DraftPlanner(source, most=MOST, rows=rows, reads_texts=False)


def run(planner: DraftPlanner, slots: Sequence[KvSlot], steps: int, *, bound: int = 100, slope: float = 0.0) -> float:
    """Seconds for each token. Steps take a second, and `slope` more for each token beyond the first."""
    seconds, said = 0.0, 0
    for _ in range(steps):
        planner.draft([Seat(each, bound) for each in slots])
        width = sum(1 + len(each.draft) for each in slots)
        took = 1 + slope * (width - 1)
        planner.learn(width=width, seconds=took)
        for each in slots:
            accepted = each.draft.index(WRONG) if WRONG in each.draft else len(each.draft)
            said += accepted + 1
            planner.settle(Slice(each, len(each.tokens) - 1, len(each.tokens), each.draft), accepted)
            each.tokens += [RIGHT] * (accepted + 1)
            each.computed = len(each.tokens) - 1
        seconds += took
    return seconds / said


def test_good_drafts_are_long() -> None:
    source = Source(right=9, seconds=0.01)
    assert run(model_planner(source, rows=32), [slot()], 100) < 0.3
    assert source.asks[-1].most == MOST


@pytest.mark.parametrize(
    ("right", "seconds", "slope"),
    [(0, 0.1, 0.1), (9, 1.5, 0.0), (9, 0.1, 2.0)],
    ids=["always wrong", "slow to draft", "slow to verify"],
)
def test_drafts_that_do_not_pay_are_given_up(right: int, seconds: float, slope: float) -> None:
    source = Source(right=right, seconds=seconds)
    planner = model_planner(source, rows=32)
    run(planner, [slot()], 1000, slope=slope)
    early = len(source.asks)
    run(planner, [slot(1)], 1000, slope=slope)
    assert len(source.asks) < 60
    assert len(source.asks) - early < 30


def test_drafts_that_get_better_come_back() -> None:
    source = Source(right=0, seconds=0.05)
    planner = model_planner(source, rows=32)
    reply = slot()
    run(planner, [reply], 300)
    source.right = 9
    run(planner, [reply], 1500)
    assert run(planner, [reply], 100) < 0.4


def test_one_disturbed_measurement_does_not_end_drafting() -> None:
    planner = model_planner(Source(right=9, seconds=0.01), rows=32)
    reply = slot()
    planner.learn(width=1, seconds=1.0)
    planner.learn(width=1 + MOST, seconds=30.0)
    run(planner, [reply], 1500)
    assert run(planner, [reply], 100) < 0.4


def test_a_reply_without_room_for_a_draft_gets_none() -> None:
    source = Source(right=9, seconds=0.0)
    reply = slot()
    run(model_planner(source, rows=32), [reply], 20, bound=0)
    assert not source.asks


def test_all_drafts_of_a_step_fit_its_rows() -> None:
    source = Source(right=9, seconds=0.0)
    planner = model_planner(source, rows=6)
    slots = [slot(job_id) for job_id in range(10)]
    for _ in range(50):
        run(planner, slots, 1)
        assert sum(len(each.draft) for each in slots) <= 6
    assert source.asks


@pytest.mark.parametrize("count", [1, 8, 40])
def test_steps_with_drafts_stay_below_the_width_from_which_they_round_otherwise(count: int) -> None:
    source = Source(right=99, seconds=0.0)
    planner = DraftPlanner(source, most=60, rows=60, reads_texts=False)
    slots = [slot(job_id) for job_id in range(count)]
    widths = set()
    for _ in range(20):
        run(planner, slots, 1)
        widths.add(sum(1 + len(each.draft) for each in slots))
    assert 40 < max(widths) < 64


def test_one_reply_s_bad_luck_is_not_the_other_s() -> None:
    source = Source(right=9, seconds=0.02)
    planner = model_planner(source, rows=32)
    good, bad = slot(0), slot(1)
    for _ in range(60):
        planner.draft([Seat(good, 100), Seat(bad, 100)])
        planner.learn(
            width=2 + len(good.draft) + len(bad.draft), seconds=1.0 + 0.05 * (len(good.draft) + len(bad.draft))
        )
        for each, accepted in ((good, len(good.draft)), (bad, 0)):
            planner.settle(Slice(each, len(each.tokens) - 1, len(each.tokens), each.draft), accepted)
            each.tokens += [RIGHT] * (accepted + 1)
            each.computed = len(each.tokens) - 1
    assert {ask.job_id for ask in source.asks[-10:]} == {0}
