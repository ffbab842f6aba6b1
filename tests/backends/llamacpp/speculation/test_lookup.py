"""What is guessed is what followed the same tokens before, and what is learnt of guesses costs no draft."""

from hypothesis import given
from hypothesis import strategies as st

from modules.backends.llamacpp.speculation.lookup import Lookup
from modules.backends.llamacpp.speculation.rates import Rates
from modules.engine.protocols import Drafter


def lookup(*prediction: int, reads_reply: bool = True) -> Lookup:
    return Lookup(Rates(), prediction, reads_reply=reads_reply)


def guess(source: Lookup, tokens: list[int], most: int = 4, prompt: int | None = None) -> tuple[int, ...]:
    """Without `prompt`, all but the last token is the prompt."""
    source.read(tokens, max(0, len(tokens) - 1) if prompt is None else prompt)
    return source.propose(most).tokens


def test_what_followed_before_is_guessed() -> None:
    assert guess(lookup(), [1, 2, 3, 40, 41, 9, 1, 2, 3], 2) == (40, 41)


def test_of_places_that_agree_as_far_the_latest_counts() -> None:
    assert guess(lookup(), [1, 2, 3, 40, 9, 9, 1, 2, 3, 50, 8, 8, 1, 2, 3], 1) == (50,)


def test_longer_runs_count_more_than_later_ones() -> None:
    tokens = [7, 6, 5, 1, 2, 3, 40, 0, 0, 1, 2, 3, 50, 0, 7, 6, 5, 1, 2, 3]
    assert guess(lookup(), tokens, 1) == (40,)


def test_what_was_never_said_is_not_guessed() -> None:
    assert guess(lookup(), [1, 2, 3, 4, 5]) == ()
    assert guess(lookup(), [1]) == ()
    assert guess(lookup(), []) == ()


def test_a_repetition_goes_on_in_a_circle() -> None:
    assert guess(lookup(), [1, 2] * 8, 5) == (1, 2, 1, 2, 1)


def test_a_long_prompt_is_looked_through_in_several_steps() -> None:
    source, tokens = lookup(), [*range(10_000), 9_000, 9_001, 9_002, 9_003]
    guesses = [guess(source, tokens, 2, prompt=10_000) for _ in range(3)]
    assert guesses == [(), (), (9_004, 9_005)]


def test_nothing_is_guessed_beyond_the_end_of_a_reply() -> None:
    source = Lookup(Rates(), (20, 21, 9, 22), ends={9})
    source.read([1, 2], 2)
    assert source.propose(4).tokens == (20, 21)


def test_what_stands_before_the_end_of_a_turn_makes_no_guess_likelier() -> None:
    tokens = [*range(20, 30), 9, 1, 2, 40, 41, *range(20, 30), 9, 1, 2]
    sources = [Lookup(Rates(), ends=ends) for ends in ({9}, set())]
    for source in sources:
        source.read(tokens, len(tokens) - 1)
    alike, unlike = (source.propose(1) for source in sources)
    assert alike.tokens == unlike.tokens == (40,)
    assert alike.chances[0] == Rates().of(3, near=False) < unlike.chances[0]


def test_media_are_never_guessed() -> None:
    assert guess(lookup(), [1, 2, 3, -5, -6, 1, 2, 3]) == ()


def test_a_prediction_is_guessed_from_its_beginning_and_after_an_edit() -> None:
    source = lookup(*range(20, 40))
    tokens = [1, 2]
    source.read(tokens, 2)
    draft = source.propose(3)
    assert draft.tokens == (20, 21, 22)
    assert set(draft.drafters) == {Drafter.PREDICTION}
    tokens += [*range(20, 30), 99]
    assert guess(source, tokens, 2, prompt=2) == (31, 32), "one token may have been replaced"
    tokens += [98, 97, 33, 34]
    assert guess(source, tokens, 2, prompt=2) == (35, 36)


def test_with_a_prediction_alone_nothing_else_is_guessed() -> None:
    source = lookup(20, 21, 22, 23, reads_reply=False)
    tokens = [1, 2, 3, 4, 1, 2]
    source.read(tokens, 6)
    assert guess(source, [*tokens, 50, 1, 2], prompt=6) == ()
    assert guess(source, [*tokens, 50, 1, 2, 20, 21], 1, prompt=6) == (22,)


def test_guesses_that_nobody_drafted_are_learnt_from() -> None:
    rates = Rates()
    source = Lookup(Rates(rates))
    before = rates.of(32, near=False), rates.of(2, near=False)
    source.read([*range(100), *range(60)], 100)
    assert rates.of(32, near=False) > before[0]
    source = Lookup(Rates(rates))
    # Pairs that come back, and never go on as they did.
    source.read([at for number in range(60) for at in (1, 2, 1000 + number)], 3)
    assert rates.of(2, near=False) < before[1] / 2


def test_a_reply_has_rates_of_its_own_that_begin_with_those_of_all() -> None:
    shared = Rates()
    mine, other = Rates(shared), Rates(shared)
    for _ in range(20):
        mine.learn(4, near=False, is_right=False)
    assert mine.of(4, near=False) < 0.1
    assert mine.of(4, near=False) < other.of(4, near=False) < Rates().of(4, near=False)


@given(st.lists(st.integers(0, 2), max_size=60), st.lists(st.integers(1, 9), max_size=10), st.integers(0, 60))
def test_read_at_once_or_bit_by_bit_is_the_same(tokens: list[int], steps: list[int], prompt: int) -> None:
    growing, end = lookup(), 0
    for step in steps:
        end = min(len(tokens), end + step)
        guess(growing, tokens[:end], prompt=prompt)
    assert guess(growing, tokens, prompt=prompt) == guess(lookup(), tokens, prompt=prompt)
