"""Pictures in the cache's plans: whole or not at all, apart from text, at positions of their own."""

import pytest

from modules.backends.kv.host_cache import HostCache
from modules.backends.kv.plan import CacheTraits, Copy, KvSlot, MediaRun, Restore, StepPlan
from modules.backends.kv.scheduler import Scheduler

TEXT = list(range(20))
CELLS = [-7, -8, -9, -7, -8, -9]


def seeing(job_id: int, tokens: list[int], *, positions: int = 6, is_whole: bool = False) -> KvSlot:
    start = tokens.index(CELLS[0])
    run = MediaRun(start=start, end=start + len(CELLS), positions=positions, digest=b"x", part=0, is_whole=is_whole)
    return KvSlot(job_id, tokens, len(tokens), runs=(run,))


def scheduler() -> Scheduler:
    return Scheduler(CacheTraits(cells=200, parallel=4, sequences=8))


def step(made: Scheduler, budget: int = 50) -> StepPlan:
    list(made.place_waiting())
    made.take_turn()
    plan = made.plan(budget, budget)
    made.commit(plan)
    return plan


def pieces(plan: StepPlan) -> list[tuple[int, int, int]]:
    return [(piece.slot.job_id, piece.start, piece.end) for piece in plan.slices]


def test_positions_are_counted_behind_a_picture() -> None:
    slot = seeing(1, [*TEXT, *CELLS, 1, 2], positions=2)
    assert [slot.position(length) for length in (0, 20, 26, 28)] == [0, 20, 22, 24]
    assert [slot.cut(length) for length in (19, 20, 21, 25, 26, 28)] == [19, 20, 20, 20, 26, 28]


def test_text_and_picture_are_computed_apart() -> None:
    made = scheduler()
    made.add(seeing(1, [*TEXT, *CELLS, 1, 2]))
    assert [pieces(step(made)) for _ in range(3)] == [[(1, 0, 20)], [(1, 20, 26)], [(1, 26, 28)]]


def test_a_small_budget_cuts_only_what_may_be_cut() -> None:
    for is_whole, expected in ((False, [(1, 20, 24)]), (True, [(1, 20, 26)])):
        made = scheduler()
        made.add(seeing(1, [*TEXT, *CELLS, 1], is_whole=is_whole))
        for _ in range(5):
            step(made, 4)
        assert pieces(step(made, 4)) == expected


def test_one_picture_a_step_and_none_that_waits() -> None:
    made = scheduler()
    slots = [seeing(job_id, [job_id, *CELLS, 1]) for job_id in (1, 2, 3)]
    slots[0].is_waiting = True
    for slot in slots:
        made.add(slot)
    assert pieces(step(made)) == [(2, 0, 1), (3, 0, 1)]
    assert pieces(step(made)) == [(2, 1, 7)]
    assert pieces(step(made)) == [(2, 7, 8), (3, 1, 7)]


def test_a_picture_is_shared_whole_or_not_at_all() -> None:
    made = scheduler()
    first = seeing(1, [*TEXT, *CELLS, 1, 2], positions=2)
    made.add(first)
    for _ in range(3):
        step(made)
    longer = seeing(2, [*TEXT, *CELLS, 1, 5, 6], positions=2)
    made.add(longer)
    assert [action for action in made.place_waiting() if isinstance(action, Copy)] == [Copy(0, 1, 23)]
    assert (longer.cached, longer.computed) == (27, 27)
    ends = seeing(3, [*TEXT, *CELLS], positions=2)
    made.add(ends)
    assert [action for action in made.place_waiting() if isinstance(action, Copy)] == [Copy(0, 2, 20)]
    assert ends.cached == 20


def asking(job_id: int, cells: list[int], tail: int) -> KvSlot:
    """`TEXT`, a picture of these cells, and `tail` tokens after it."""
    tokens = [*TEXT, *cells, *range(100, 100 + tail)]
    run = MediaRun(start=len(TEXT), end=len(TEXT) + len(cells), positions=len(cells), digest=b"%d" % cells[0], part=0)
    return KvSlot(job_id, tokens, len(tokens), runs=(run,))


def finished(made: Scheduler, slot: KvSlot) -> list[object]:
    """What was done to give `slot` its place; it has run to its end."""
    made.add(slot)
    actions: list[object] = list(made.place_waiting())
    while slot.pending:
        step(made)
    made.finish(slot)
    return actions


@pytest.mark.parametrize("tail", [1, 8, 40])
def test_a_picture_comes_back_from_the_host_cache(tail: int) -> None:
    """However few tokens it is: computing it takes a step of its own, and the encoder where its rows are gone."""
    traits = CacheTraits(cells=200, parallel=4, sequences=8, keeps_idle=False)
    made = Scheduler(traits, host_cache=HostCache(400, lambda sequence: len(TEXT) + len(CELLS) + tail))
    other = [cell - 100 for cell in CELLS]
    for job_id, cells in ((1, CELLS), (2, other)):
        finished(made, asking(job_id, cells, tail))
    again = asking(3, CELLS, tail)
    actions = finished(made, again)
    assert again.cached == len(again.tokens) - 1
    assert [action.length for action in actions if isinstance(action, Restore)] == [again.cached]


def test_a_few_tokens_of_text_are_computed_again() -> None:
    traits = CacheTraits(cells=200, parallel=4, sequences=8, keeps_idle=False)
    made = Scheduler(traits, host_cache=HostCache(400, lambda sequence: len(TEXT) + 10))
    for job_id, first in ((1, 100), (2, 200)):
        tokens = [*TEXT, *range(first, first + 10)]
        finished(made, KvSlot(job_id, tokens, len(tokens)))
    tokens = [*TEXT, *range(100, 110)]
    again = KvSlot(3, tokens, len(tokens))
    assert not any(isinstance(action, Restore) for action in finished(made, again))
    assert again.cached == len(TEXT)
