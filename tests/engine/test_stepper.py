"""The loop that owns a backend: whatever is submitted, cancelled and prepared in whatever order, each job ends once."""

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from modules.backends.scripted.backend import ScriptedBackend
from modules.engine.outbox import News
from modules.engine.protocols import Output
from modules.engine.stepper import Stepper
from modules.engine.types import Chunk, Constraint, Finish, Generation, Job, Prompt
from modules.errors import BadRequest
from tests.scripted import scripted_spec
from tests.streams import asking

YES_OR_NO = Constraint(kind="regex", text="(yes|no)", param="guided_regex")
WRONG = Constraint(kind="regex", text="(", param="guided_regex")


class Listening:
    """A stepper on the scripted backend, and what it delivers: `news` by job, `deliveries` in order."""

    def __init__(self, backend: ScriptedBackend | None = None) -> None:
        self.backend = backend or ScriptedBackend(scripted_spec(parallel=2))
        self.deliveries: list[Sequence[News]] = []
        self.changed = threading.Condition()
        self.stepper = Stepper(self.backend, self._deliver)

    def _deliver(self, news: Sequence[News]) -> None:
        with self.changed:
            self.deliveries.append(news)
            self.changed.notify_all()

    def news_of(self, job_id: int) -> list[object]:
        return [what for news in self.deliveries for number, what in news if number == job_id]

    def text_of(self, job_id: int) -> str:
        return "".join(chunk.text for chunk in self.news_of(job_id) if isinstance(chunk, Chunk))

    def endings_of(self, job_id: int) -> list[object]:
        """Its last words: a reason to finish, or an error."""
        return [
            what.finish if isinstance(what, Chunk) else what
            for what in self.news_of(job_id)
            if not isinstance(what, Chunk) or what.finish is not None
        ]

    def run_until(self, condition: Callable[[], object]) -> None:
        """Runs the loop on a thread until the deliveries fulfil `condition`, then stops it."""
        thread = threading.Thread(target=self.stepper.run)
        thread.start()
        with self.changed:
            is_so = self.changed.wait_for(condition, timeout=60)
        self.stepper.stop()
        thread.join()
        self.stepper.close()
        assert is_so


class Ordered(ScriptedBackend):
    """Has room for all, and lets `interrupt` act before each step."""

    def __init__(self) -> None:
        super().__init__(scripted_spec(parallel=64))
        self.interrupt: Callable[[], None] = lambda: None

    @override
    def step(self) -> Iterable[Output]:
        self.interrupt()
        return super().step()


def job(number: int, text: str, **fields: Any) -> Job:
    return Job(number, asking(text, **fields))


def test_stepper_ends_each_job_once() -> None:
    listening = Listening()
    for number in range(5):
        listening.stepper.submit(job(number, f"echo: text {number}"))
    listening.run_until(lambda: all(listening.endings_of(number) for number in range(5)))
    assert [listening.text_of(number) for number in range(5)] == [f"text {number}" for number in range(5)]
    assert [listening.endings_of(number) for number in range(5)] == [[Finish.STOP]] * 5
    assert not listening.backend.has_work


def test_stepper_delivers_once_a_step_at_most() -> None:
    backend = Ordered()
    steps: list[None] = []
    backend.interrupt = lambda: steps.append(None)
    listening = Listening(backend)
    for number in range(4):
        listening.stepper.submit(job(number, "count 9"))
    listening.run_until(lambda: all(listening.endings_of(number) for number in range(4)))
    assert 0 < len(listening.deliveries) <= len(steps)


def test_stepper_refuses_a_job_and_goes_on_with_the_others() -> None:
    listening = Listening()
    listening.stepper.submit(Job(1, Generation(prompt=Prompt(()))))
    listening.stepper.submit(job(2, "echo: unharmed"))
    listening.run_until(lambda: listening.endings_of(2))
    (refusal,) = listening.endings_of(1)
    assert isinstance(refusal, BadRequest)
    assert listening.text_of(2) == "unharmed"


def test_stepper_says_nothing_of_a_job_that_was_cancelled_before_it_ran() -> None:
    listening = Listening()
    listening.stepper.submit(job(1, "echo: never heard"))
    listening.stepper.cancel(1)
    listening.stepper.cancel(99)
    listening.stepper.submit(job(2, "echo: heard"))
    listening.run_until(lambda: listening.endings_of(2))
    assert listening.news_of(1) == []


def test_stepper_frees_the_room_of_a_cancelled_job() -> None:
    listening = Listening(ScriptedBackend(scripted_spec(parallel=1)))
    listening.stepper.submit(job(1, "stall"))
    listening.stepper.submit(job(2, "echo: my turn"))

    def second_has_ended() -> bool:
        if listening.news_of(1):
            listening.stepper.cancel(1)
        return bool(listening.endings_of(2))

    listening.run_until(second_has_ended)
    assert listening.text_of(2) == "my turn"
    assert listening.endings_of(1) == []


def test_stepper_stops_with_work_left() -> None:
    listening = Listening()
    listening.stepper.submit(job(1, "stall"))
    listening.run_until(lambda: listening.news_of(1))
    assert listening.backend.has_work


def test_stepper_lets_what_breaks_the_backend_out() -> None:
    listening = Listening()
    listening.stepper.submit(job(1, "fail"))
    with pytest.raises(RuntimeError, match="the script says fail"):
        listening.stepper.run()


# What is asked, and what is said to it; "stall" never ends.
SAYINGS = (
    ("echo: a", None, "a"),
    ("count 12", None, "1 2 3 4 5 6 7 8 9 10 11 12"),
    ("echo: no", YES_OR_NO, "no"),
    ("echo: no", WRONG, ""),
    ("stall", None, "waiting"),
)
STALL, LAST = 1000, 1001
SUBMIT, CANCEL, STEP = "submit", "cancel", "step"
ORDERS = st.lists(
    st.one_of(
        st.tuples(st.just(SUBMIT), st.integers(0, len(SAYINGS) - 1)),
        st.tuples(st.just(CANCEL), st.integers(0, 9)),
        st.tuples(st.just(STEP), st.just(0)),
    ),
    min_size=1,
    max_size=16,
)


@settings(max_examples=60)
@given(ORDERS)
def test_stepper_in_any_order_of_submitting_preparing_and_cancelling(orders: list[tuple[str, int]]) -> None:
    backend = Ordered()
    listening = Listening(backend)
    left, submitted, cancelled = list(orders), list[int](), set[int]()

    def follow_orders() -> None:
        while left:
            what, value = left.pop(0)
            if what == STEP:
                return
            if what == SUBMIT:
                text, constraint, _ = SAYINGS[value]
                listening.stepper.submit(job(len(submitted), text, constraint=constraint))
                submitted.append(value)
            elif value < len(submitted):
                listening.stepper.cancel(value)
                cancelled.add(value)
        if backend.interrupt is follow_orders:
            backend.interrupt = lambda: None
            listening.stepper.submit(job(LAST, "echo: all was asked"))

    backend.interrupt = follow_orders
    listening.stepper.submit(job(STALL, "stall"))

    def is_settled() -> bool:
        awaited = [number for number, saying in enumerate(submitted) if SAYINGS[saying][0] != "stall"]
        return bool(listening.endings_of(LAST)) and all(
            number in cancelled or listening.endings_of(number) for number in awaited
        )

    listening.run_until(is_settled)
    for number, saying in enumerate(submitted):
        _, constraint, words = SAYINGS[saying]
        assert len(listening.endings_of(number)) <= 1
        assert words.startswith(listening.text_of(number))
        if number not in cancelled and listening.endings_of(number) == [Finish.STOP]:
            assert listening.text_of(number) == words
        assert constraint is not WRONG or all(isinstance(each, BadRequest) for each in listening.endings_of(number))


@given(data=st.data())
def test_chunks_joined_anyhow_have_the_same_usage(data: st.DataObject) -> None:
    """However many chunks the outbox joins, text, tokens and usage are those of the whole."""
    text = data.draw(st.text(st.sampled_from("aé🙂 \n"), min_size=1, max_size=24))
    listening = Listening()
    listening.stepper.submit(job(1, f"echo: x{text}y"))
    listening.run_until(lambda: listening.endings_of(1))
    chunks = [chunk for chunk in listening.news_of(1) if isinstance(chunk, Chunk)]
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(chunks) - 1)), max_size=6)))
    parts = [chunks[begin:end] for begin, end in pairwise([0, *cuts, len(chunks)]) if begin < end]
    joined, once = Chunk.join([Chunk.join(part) for part in parts]), Chunk.join(chunks)
    assert joined == once
    assert once.text == f"x{text}y"
    assert once.usage is not None
    assert once.usage.completion_tokens == len(once.tokens) == len(f"x{text}y".encode())


class Interrupted(Ordered):
    """Tells whether a step could have been ended early: commands waited while it ran."""

    def interrupt_when(self, is_wanted: Callable[[], bool]) -> None:
        self.is_wanted = is_wanted


def test_a_backend_is_told_that_commands_wait() -> None:
    backend = Interrupted()
    listening = Listening(backend)
    seen: list[bool] = []

    def come() -> None:
        seen.append(backend.is_wanted())
        if len(seen) == 1:
            listening.stepper.submit(job(2, "echo: two"))
            seen.append(backend.is_wanted())

    backend.interrupt = come
    listening.stepper.submit(job(1, "echo: one"))
    listening.run_until(lambda: listening.endings_of(1) and listening.endings_of(2))
    assert seen[:3] == [False, True, False]
