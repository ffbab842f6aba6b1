"""The pace of replies: by a clock that the test turns."""

from modules.ui.replies.throttle import ReplyPacer


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_a_rate_everything_passes() -> None:
    assert ReplyPacer(0).passed("words", 0) == "words"


def test_as_many_tokens_pass_as_the_clock_allows() -> None:
    clock = Clock()
    pace = ReplyPacer(2, clock)
    assert pace.passed("", 0) == ""
    clock.now += 60
    assert pace.passed("x" * 40, 10) == "x" * 4, "the clock starts with the first words"
    clock.now += 1
    assert pace.passed("x" * 40, 10) == "x" * 12
    clock.now += 60
    assert pace.passed("x" * 40, 10) == "x" * 40


def test_what_has_passed_stays() -> None:
    clock = Clock()
    pace = ReplyPacer(1, clock)
    pace.passed("xxxx", 1)
    assert pace.passed("xxxx" + "y" * 4, 100) == "xxxx"
