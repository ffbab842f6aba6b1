"""Who is computed when, what is shared, and who gives way: each rule of the scheduler by itself."""

import pytest

from modules.backends.adapters import AdapterGroup
from modules.backends.kv.plan import Copy, Remove
from modules.backends.kv.scheduler import GROWTH, MIN_SHARED
from tests.backends.kv.cache_model import SCORING_BUDGET, made, own, reply_of

SYSTEM = own(1000, 40)


class TestBatches:
    def test_every_reply_gets_its_token_and_prompts_the_rest(self) -> None:
        model = made()
        for job in range(3):
            model.add(job, own(job * 100, 4), length=9)
        model.step()
        model.add(3, own(900, 100), length=1)
        plan = model.step()
        assert [piece.slot.job_id for piece in plan.slices] == [0, 1, 2, 3]
        assert (plan.decoded, plan.read) == (3, 16)

    def test_prompts_of_one_length_are_read_in_order_of_arrival(self) -> None:
        model = made()
        model.add(0, own(0, 20), length=1)
        model.add(1, own(100, 20), length=1)
        assert [(piece.slot.job_id, piece.end) for piece in model.step().slices] == [(0, 16)]
        assert next((piece.slot.job_id, piece.end) for piece in model.step().slices) == (0, 20)

    def test_no_more_run_than_may(self) -> None:
        model = made(parallel=2)
        for job in range(5):
            model.add(job, own(job * 100, 3), length=5)
        while model.scheduler.has_work:
            assert len(model.step().slices) <= 2
        assert sorted(model.finished) == [0, 1, 2, 3, 4]

    def test_jobs_start_in_the_order_of_their_arrival(self) -> None:
        model = made(parallel=1)
        for job in range(6):
            model.add(job, own(job * 100, 3), length=2)
        model.run()
        assert list(model.finished) == [0, 1, 2, 3, 4, 5]

    def test_a_small_job_does_not_overtake_a_large_one_that_waits_for_room(self) -> None:
        model = made(cells=256, parallel=4)
        model.add(0, own(0, 100), length=40)
        model.add(1, own(300, 150), length=1)
        model.add(2, own(600, 2), length=1)
        while model.plays[1].slot.sequence is None:
            assert model.plays[2].slot.sequence is None
            model.step()

    def test_nothing_to_do_is_an_empty_plan(self) -> None:
        assert made().step().slices == []


class TestSharing:
    def test_a_common_beginning_is_computed_once(self) -> None:
        model = made()
        for job in range(4):
            model.add(job, SYSTEM + own(job * 10, 5), length=3)
        model.run()
        alone = 4 * (5 + 2) + 3 * (MIN_SHARED - 1)
        assert model.computed_tokens <= len(SYSTEM) + alone
        assert sorted(model.finished) == [0, 1, 2, 3]

    def test_those_that_wait_for_a_common_beginning_let_others_pass(self) -> None:
        model = made()
        model.add(0, [*SYSTEM, 1], length=1)
        model.add(1, [*SYSTEM, 2], length=1)
        model.add(2, own(0, 4), length=1)
        model.step()
        assert model.plays[1].slot.sequence is None
        assert 2 in model.finished

    def test_a_short_common_beginning_is_not_worth_waiting_for(self) -> None:
        model = made()
        start = own(500, MIN_SHARED - 1)
        model.add(0, start + own(0, 30), length=1)
        model.add(1, start + own(100, 30), length=1)
        model.step()
        assert model.plays[1].slot.sequence is not None

    def test_a_running_reply_is_shared(self) -> None:
        model = made()
        model.add(0, SYSTEM, length=50)
        for _ in range(4):
            model.step()
        follow = list(model.plays[0].slot.tokens)
        play = model.add(1, [*follow, 7, 8], length=1)
        model.step()
        assert play.slot.cached == len(follow) - 1  # its newest token is not computed yet

    def test_a_conversation_goes_on_where_it_ended(self) -> None:
        model = made()
        model.add(0, SYSTEM, length=5)
        model.run()
        said = reply_of(SYSTEM, 5)
        play = model.add(1, [*said, 1, 2, 3], length=2)
        model.run()
        assert play.slot.cached == len(said) - 1
        assert not [action for action in model.actions if isinstance(action, Copy)], (
            "the finished sequence itself goes on"
        )

    def test_two_branches_of_a_finished_conversation(self) -> None:
        model = made()
        model.add(0, SYSTEM, length=3)
        model.run()
        first = model.add(1, SYSTEM + own(0, 4), length=3)
        second = model.add(2, SYSTEM + own(50, 4), length=3)
        model.run()
        assert first.slot.cached == second.slot.cached == len(SYSTEM)

    def test_the_last_prompt_token_is_always_computed_again(self) -> None:
        model = made()
        model.add(0, SYSTEM, length=1)
        model.run()
        again = model.add(1, SYSTEM, length=1)
        model.run()
        assert (again.slot.cached, again.computed) == (len(SYSTEM) - 1, 1)

    def test_a_scored_prompt_never_uses_the_cache(self) -> None:
        model = made()
        model.add(0, SYSTEM, length=1)
        model.run()
        scored = model.add(1, [*SYSTEM, 1], length=1, scores=True)
        beside = model.add(2, [*SYSTEM, 2], length=1, scores=True)
        model.run()
        for play in (scored, beside):
            assert (play.slot.cached, play.computed) == (0, len(SYSTEM) + 1)

    def test_nobody_waits_for_a_prompt_that_is_scored(self) -> None:
        model = made()
        model.add(0, [*SYSTEM, 1], length=1, scores=True)
        play = model.add(1, [*SYSTEM, 2], length=1)
        model.step()
        assert play.slot.sequence is not None

    @pytest.mark.parametrize("jobs", [1, 3])
    def test_scored_prompts_share_their_rows_of_logits(self, jobs: int) -> None:
        model = made()
        for job in range(jobs):
            model.add(job, own(job * 100, 30), length=1, scores=True)
        while model.scheduler.has_work:
            plan = model.step()
            scored = [piece for piece in plan.slices if piece.start < piece.slot.prompt_length]
            assert sum(piece.end - piece.start for piece in scored) <= SCORING_BUDGET


class TestWholeSequences:
    """Models whose memory cannot be cut: only all of a finished sequence can be taken over."""

    def test_a_conversation_goes_on(self) -> None:
        model = made(can_share=False, spare=2)
        model.add(0, SYSTEM, length=5)
        model.run()
        said = reply_of(SYSTEM, 5)
        play = model.add(1, [*said, 1, 2, 3], length=2)
        model.run()
        assert play.slot.cached == len(said) - 1

    def test_a_part_of_a_sequence_is_not_used(self) -> None:
        model = made(can_share=False, spare=2)
        model.add(0, [*SYSTEM, 1], length=5)
        model.run()
        play = model.add(1, [*SYSTEM, 2], length=1)
        model.run()
        assert play.slot.cached == 0

    def test_nothing_is_ever_copied_and_nobody_waits(self) -> None:
        model = made(can_share=False, spare=2)
        for job in range(4):
            model.add(job, [*SYSTEM, job], length=2)
        model.step()
        assert all(play.slot.sequence is not None for play in model.plays.values())
        model.run()
        assert all(isinstance(action, Remove) for action in model.actions)


class TestRoom:
    @pytest.mark.parametrize(("number", "cached"), [(0, 50), (1, 0), (2, 50)])
    def test_the_least_recently_used_goes_first(self, number: int, cached: int) -> None:
        model = made(cells=200, parallel=1)
        prompts = [own(start, 50) for start in (0, 100, 200)]
        for job, prompt in enumerate(prompts):
            model.add(job, prompt, length=1)
        model.run()
        model.add(3, [*prompts[0], 1], length=1)  # the oldest is used again
        model.add(4, own(300, 60), length=1)
        model.run()
        again = model.add(5, [*prompts[number], 2], length=1)
        model.run()
        assert again.slot.cached == cached

    @pytest.mark.parametrize(("number", "cached"), [(0, 50), (1, 0)])
    def test_what_was_shared_lately_is_not_the_least_recently_used(self, number: int, cached: int) -> None:
        model = made(cells=200, parallel=1)
        prompts = [own(start, 50) for start in (0, 100)]
        for job, prompt in enumerate(prompts):
            model.add(job, prompt, length=1)
        model.run()
        model.add(2, [*prompts[0][:40], 7], length=1)  # a branch of the older one
        model.add(3, own(300, 100), length=1)
        model.run()
        again = model.add(4, [*prompts[number], 2], length=1)
        model.run()
        assert again.slot.cached == cached

    def test_finished_sequences_go_before_running_jobs(self) -> None:
        model = made(cells=128, parallel=2)
        model.add(0, own(0, 60), length=1)
        model.run()
        model.add(1, own(200, 40), length=60)
        model.run()
        assert model.preemptions == 0

    def test_the_youngest_gives_way_and_comes_back_with_what_it_said(self) -> None:
        model = made(cells=160, parallel=2)
        old = model.add(0, own(0, 20), length=120)
        young = model.add(1, own(300, 20), length=100)
        model.run()
        assert model.preemptions > 0
        assert not old.slot.was_preempted
        assert young.slot.was_preempted
        assert old.slot.tokens == reply_of(own(0, 20), 120)
        assert young.slot.tokens == reply_of(own(300, 20), 100)

    def test_who_gave_way_comes_back_before_newcomers(self) -> None:
        model = made(cells=160, parallel=2)
        model.add(0, own(0, 20), length=120)
        young = model.add(1, own(300, 20), length=100)
        newcomer = model.add(2, own(600, 5), length=1)
        while newcomer.slot.sequence is None and newcomer.said == 0:
            model.step()
        assert young.slot.was_preempted
        assert young.slot.sequence is not None

    def test_what_was_said_before_is_not_called_cached(self) -> None:
        model = made(cells=160, parallel=2)
        model.add(0, own(0, 20), length=120)
        young = model.add(1, own(300, 20), length=100)
        model.run()
        assert young.slot.cached == 0

    def test_a_job_may_fill_the_whole_cache_alone(self) -> None:
        model = made(cells=64, parallel=4)
        model.add(0, own(0, 32), length=33)
        model.run()
        assert list(model.finished) == [0]

    def test_newcomers_leave_room_to_grow(self) -> None:
        model = made(cells=100 + 2 * GROWTH - 1, parallel=2)
        model.add(0, own(0, 50), length=5)
        model.add(1, own(100, 50), length=5)
        model.step()
        assert model.plays[1].slot.sequence is None

    def test_a_full_set_of_sequences_forgets_the_oldest_idle_one(self) -> None:
        model = made(parallel=2, spare=1)
        for job in range(10):
            model.add(job, own(job * 100, 20), length=2)
        model.run()
        assert sorted(model.finished) == list(range(10))

    def test_the_sequence_that_is_shared_is_not_the_one_forgotten(self) -> None:
        model = made(parallel=2, spare=1)
        for job, start in enumerate((0, 200)):
            model.add(job, own(start, 30), length=2)
            model.run()
        model.add(2, own(500, 30), length=60)
        model.step()
        model.add(3, own(0, 20) + own(700, 5), length=2)
        model.run()
        assert list(model.finished) == [0, 1, 3, 2]

    def test_a_refused_batch_makes_the_oldest_idle_sequence_give_way_then_the_youngest_job(self) -> None:
        model = made()
        model.add(0, own(0, 10), length=1)
        model.run()
        old, young = model.add(1, own(100, 10), length=9), model.add(2, own(200, 10), length=9)
        model.step()
        model.step()
        for expected in ("idle", "young"):
            actions = model.scheduler.preempt()
            assert actions is not None
            model.apply(actions)
            assert (young.slot.sequence is None) == (expected == "young")
        assert model.scheduler.preempt() is None
        assert old.slot.sequence is not None

    def test_a_job_that_leaves_frees_its_place(self) -> None:
        model = made(parallel=1)
        model.add(0, own(0, 100), length=1)
        model.add(1, own(200, 5), length=1)
        model.step()
        model.drop(0)
        model.step()
        assert list(model.finished) == [1]

    def test_a_job_that_leaves_the_line_is_forgotten(self) -> None:
        model = made(parallel=1)
        model.add(0, own(0, 5), length=30)
        model.add(1, own(200, 5), length=1)
        model.step()
        model.drop(1)
        model.run()
        assert list(model.finished) == [0]


def test_groups_come_in_turns_and_share_nothing() -> None:
    model = made()
    groups: list[AdapterGroup] = [(), (("a", 1.0),), (("a", 0.5),)]
    for number, group in enumerate(groups * 2):
        model.add(number, own(0, 17), 20, group=group)
    turns = []
    for _ in range(9):
        model.step()
        turns.append(model.scheduler.turn)
    assert turns == [groups[at % 3] for at in range(1, 10)] or turns == groups * 3
    model.run()
    # The second job of each group found all but the last token of what the first had computed.
    assert sum(play.slot.cached for play in model.finished.values()) == 3 * 16
