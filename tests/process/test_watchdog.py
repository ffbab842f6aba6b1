"""When a process that owes an answer is given up, tick by tick: no clock is read."""

from itertools import count

import pytest

from modules.process.heartbeat import (
    BUSY_SILENT_TICKS,
    BUSY_STILL_TICKS,
    SILENT_TICKS,
    STILL_LOADING_TICKS,
    STILL_TICKS,
    TICK_SECONDS,
    Activity,
    Watchdog,
)
from modules.process.progress import LOADING

FOUND_WITHIN = 20
SURVIVED = 4
LONG = 3000


def ticks_to_verdict(
    *,
    work: dict[str, int] | None = None,
    steps: int = 0,
    cpu: float = 0.0,
    read: int = 0,
    waits: bool = False,
    most: int = LONG,
) -> int | None:
    """How many ticks it takes until something is wrong. `work` None: no ping is answered. `steps`, `cpu` and `read` are
    what happens in one tick."""
    watchdog = Watchdog()
    for number in range(most):
        if work is not None:
            watchdog.on_pong({name: start + steps * number for name, start in work.items()})
        if watchdog.tick(Activity(cpu * number, read * number, waits)):
            return number + 1
    return None


def test_what_is_stopped_is_found_within_twenty_seconds_and_not_within_four() -> None:
    found = ticks_to_verdict()
    assert found is not None
    assert SURVIVED < found * TICK_SECONDS <= FOUND_WITHIN


@pytest.mark.parametrize("name", ["stepper", "tokenizer"])
def test_a_thread_that_waits_for_ever_is_found_within_twenty_seconds(name: str) -> None:
    found = ticks_to_verdict(work={name: 5}, cpu=0.0005)
    assert found is not None
    assert SURVIVED < found * TICK_SECONDS <= FOUND_WITHIN


def test_what_gets_on_is_never_given_up() -> None:
    assert ticks_to_verdict(work={"stepper": 5}, steps=1) is None


def test_what_has_nothing_to_do_is_never_given_up() -> None:
    assert ticks_to_verdict(work={}) is None


@pytest.mark.parametrize("doing", [{"cpu": 0.05}, {"cpu": 1.0}, {"read": 4096}, {"waits": True}])
def test_a_long_call_that_does_something_has_a_generous_bound(doing: dict[str, float]) -> None:
    assert (ticks_to_verdict(work={"stepper": 5}, **doing) or 0) >= BUSY_STILL_TICKS  # type: ignore[arg-type]
    assert (ticks_to_verdict(**doing) or 0) >= BUSY_SILENT_TICKS  # type: ignore[arg-type]


def test_a_slow_share_of_a_crowded_machine_is_something() -> None:
    """Less than the system's clock shows in one tick."""
    assert ticks_to_verdict(work={"stepper": 5}, cpu=0.006, most=BUSY_STILL_TICKS - 1) is None


def test_a_load_may_wait_longer_and_compute_for_as_long_as_it_likes() -> None:
    waiting = ticks_to_verdict(work={LOADING: 1})
    assert waiting is not None
    assert waiting >= STILL_LOADING_TICKS
    assert ticks_to_verdict(work={LOADING: 1}, cpu=0.5) is None
    assert ticks_to_verdict() == ticks_to_verdict(most=SILENT_TICKS + 1)


def test_a_stop_of_a_few_seconds_leaves_nothing_behind() -> None:
    watchdog, seconds = Watchdog(), count()
    for _ in range(20):
        for _ in range(STILL_TICKS // 2):
            assert watchdog.tick(Activity(next(seconds) * 0.0)) is None
        watchdog.on_pong({"stepper": next(seconds)})
        assert watchdog.tick(Activity(next(seconds) * 1.0)) is None


def test_a_system_that_does_not_tell_leaves_the_longer_bounds() -> None:
    watchdog = Watchdog()
    verdicts = [watchdog.tick(None) for _ in range(BUSY_SILENT_TICKS)]
    assert verdicts[-1]
    assert not any(verdicts[:-1])


def test_of_several_threads_one_that_is_stuck_is_named() -> None:
    watchdog = Watchdog()
    for number in count():
        watchdog.on_pong({"stepper": number, "tokenizer": 3})
        if trouble := watchdog.tick(Activity(0.0)):
            assert "tokenizer" in trouble
            return
