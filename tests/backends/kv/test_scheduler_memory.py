"""What leaves the cache and comes back, and what a cache with sliding windows has forgotten."""

import pytest

from modules.backends.kv.plan import Offload, Remove, Restore
from modules.backends.kv.scheduler import MAX_PIECES, MIN_OFFLOADED
from tests.backends.kv.cache_model import CacheModel, made, own, reply_of

SYSTEM = own(1000, 40)


class TestStash:
    """Where idle cells cost time: what is finished leaves the cache, and comes back when it is asked for again."""

    def test_a_job_finds_the_cache_as_if_it_were_new(self) -> None:
        model = made(keeps_idle=False, host_cache=1000)
        model.add(0, SYSTEM, length=2)
        model.run()
        model.add(1, own(0, 10), length=2)
        model.step()
        assert model.used() == 10
        assert [type(action) for action in model.actions] == [Offload, Remove]

    @pytest.mark.parametrize("between", [True, False])
    def test_a_conversation_goes_on_from_cache_or_stash(self, between: bool) -> None:
        model = made(keeps_idle=False, host_cache=1000)
        model.add(0, SYSTEM, length=3)
        model.run()
        if between:
            model.add(1, own(0, 30), length=2)
            model.run()
        said = reply_of(SYSTEM, 3)
        play = model.add(2, [*said, 1, 2], length=2)
        model.run()
        assert play.slot.cached == len(said) - 1
        assert any(isinstance(action, Restore) for action in model.actions) == between

    def test_a_beginning_of_what_is_stashed_will_do(self) -> None:
        model = made(keeps_idle=False, host_cache=1000)
        model.add(0, SYSTEM, length=3)
        model.run()
        model.add(1, own(0, 30), length=2)
        model.run()
        play = model.add(2, [*SYSTEM[:30], 1, 2], length=2)
        model.run()
        assert play.slot.cached == 30

    def two_that_ran_together(self) -> CacheModel:
        model = made(keeps_idle=False, host_cache=1000)
        model.add(0, own(0, 30), length=2 * MAX_PIECES)
        model.add(1, own(100, 30), length=2 * MAX_PIECES)
        model.run()
        return model

    def test_nobody_waits_for_a_scattered_sequence_to_be_copied(self) -> None:
        model = self.two_that_ran_together()
        model.add(2, own(500, 10), length=1)
        model.run()
        assert not any(isinstance(action, Offload) for action in model.actions)
        assert not model.scheduler.has_deferred

    def test_a_scattered_sequence_is_copied_when_nothing_runs(self) -> None:
        model = self.two_that_ran_together()
        while model.scheduler.has_deferred:
            model.apply(model.scheduler.offload_deferred())
        assert sum(isinstance(action, Offload) for action in model.actions) == 2
        model.add(2, own(500, 10), length=1)
        model.run()
        play = model.add(3, [*reply_of(own(0, 30), 2 * MAX_PIECES), 7], length=1)
        model.run()
        assert play.slot.cached == 30 + 2 * MAX_PIECES - 1
        assert sum(isinstance(action, Offload) for action in model.actions) == 2

    def test_memory_that_cannot_be_cut_comes_back_whole_or_not_at_all(self) -> None:
        model = made(keeps_idle=False, can_share=False, spare=2, host_cache=1000)
        model.add(0, SYSTEM, length=3)
        model.run()
        model.add(1, own(0, 30), length=2)
        model.run()
        part = model.add(2, [*SYSTEM[:30], 1, 2], length=2)
        model.run()
        whole = model.add(3, [*reply_of(SYSTEM, 3), 1], length=2)
        model.run()
        assert (part.slot.cached, whole.slot.cached) == (0, len(SYSTEM) + 2)

    def test_short_sequences_are_not_worth_stashing(self) -> None:
        model = made(keeps_idle=False, host_cache=1000)
        for job in range(3):
            model.add(job, own(job * 100, MIN_OFFLOADED - 5), length=2)
            model.run()
        assert not any(isinstance(action, Offload) for action in model.actions)

    def test_a_state_is_not_written_over_before_it_is_read(self) -> None:
        model = made(keeps_idle=False, host_cache=100)
        for job in range(2):
            model.add(job, own(job * 100, 60), length=1)
            model.run()
        model.add(2, [*own(0, 60), 1], length=1)
        model.run()
        assert model.finished[2].slot.cached in (0, 60)

    def test_without_a_stash_what_leaves_is_forgotten(self) -> None:
        model = made(keeps_idle=False)
        for job in range(2):
            model.add(job, own(job * 100, 60), length=1)
            model.run()
        play = model.add(2, [*own(0, 60), 1], length=1)
        model.run()
        assert play.slot.cached == 0
        assert not any(isinstance(action, Offload) for action in model.actions)


class TestSlidingWindow:
    """Where the cache forgets what left the window, only what it still holds is shared."""

    LONG = own(500, 80)

    @pytest.mark.parametrize(("length", "cached"), [(80, 80), (60, 0), (20, 0)])
    def test_a_branch_of_a_long_sequence(self, length: int, cached: int) -> None:
        model = made(window=30)
        model.add(0, self.LONG, length=1)
        model.run()
        play = model.add(1, [*self.LONG[:length], 1, 2], length=2)
        model.run()
        assert play.slot.cached == cached

    def test_a_branch_of_a_short_sequence(self) -> None:
        model = made(window=30)
        model.add(0, self.LONG[:28], length=1)
        model.run()
        play = model.add(1, [*self.LONG[:20], 1, 2], length=2)
        model.run()
        assert play.slot.cached == 20

    @pytest.mark.parametrize(("length", "cached"), [(80, 80), (60, 0)])
    def test_only_whole_states_come_back(self, length: int, cached: int) -> None:
        model = made(window=30, keeps_idle=False, host_cache=1000)
        model.add(0, self.LONG, length=1)
        model.run()
        model.add(1, own(0, 30), length=1)
        model.run()
        play = model.add(2, [*self.LONG[:length], 1, 2], length=2)
        model.run()
        assert play.slot.cached == cached
