"""What is guessed is what followed the same tokens before."""

from hypothesis import given
from hypothesis import strategies as st

from modules.backends.llamacpp.speculation.ngrams import NgramSource
from modules.backends.llamacpp.speculation.source import Ask


def guess(source: NgramSource, tokens: list[int], most: int = 4, job_id: int = 0) -> tuple[int, ...]:
    draft = source.propose([Ask(job_id, tokens, most, 0.0)], patience=1.0).get(job_id)
    return () if draft is None else draft.tokens


def test_what_followed_before_is_guessed_from_the_latest_place() -> None:
    source = NgramSource()
    assert guess(source, [1, 2, 3, 40, 41, 9, 1, 2, 3]) == (40, 41, 9, 1)
    assert guess(source, [1, 2, 3, 40, 41, 9, 1, 2, 3, 50, 1, 2, 3]) == (50, 1, 2, 3)


def test_longer_runs_count_more_than_later_ones() -> None:
    tokens = [7, 6, 5, 1, 2, 3, 40, 0, 0, 1, 2, 3, 50, 0, 7, 6, 5, 1, 2, 3]
    assert guess(NgramSource(), tokens, 1) == (40,)


def test_what_was_never_said_is_not_guessed() -> None:
    source = NgramSource()
    assert guess(source, [1, 2, 3, 4, 5]) == ()
    assert guess(source, [1]) == ()
    assert guess(source, []) == ()


def test_a_repetition_goes_on_in_a_circle() -> None:
    assert guess(NgramSource(), [1, 2] * 5, 5) == (1, 2, 1, 2, 1)


def test_jobs_are_apart_and_forgotten() -> None:
    source = NgramSource()
    guess(source, [1, 2, 3, 4, 1, 2, 3])
    assert guess(source, [9, 1, 2, 3], job_id=1) == ()
    source.forget(0)
    source.forget(5)
    assert guess(source, [0, 1, 2, 3]) == ()


def test_a_long_prompt_is_looked_through_in_several_steps() -> None:
    source, tokens = NgramSource(), [*range(10_000), 9_000, 9_001, 9_002]
    guesses = [guess(source, tokens, 2) for _ in range(4)]
    assert guesses == [(), (), (9_003, 9_004), (9_003, 9_004)]


@given(st.lists(st.integers(0, 2), max_size=60), st.lists(st.integers(1, 9), max_size=10))
def test_read_at_once_or_bit_by_bit_is_the_same(tokens: list[int], steps: list[int]) -> None:
    growing, end = NgramSource(), 0
    for step in steps:
        end = min(len(tokens), end + step)
        guess(growing, tokens[:end])
    assert guess(growing, tokens) == guess(NgramSource(), tokens)
