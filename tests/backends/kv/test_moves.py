"""What of a prompt is found in another one, behind an edit."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from modules.backends.kv.moves import GRAM, CellMove, MovePlanner

OLD = list(range(1000))
LEAST = 32


def moves(tokens: Sequence[int], held: Sequence[int] = OLD, *, start: int = 0) -> list[CellMove]:
    return list(MovePlanner(tokens, start, LEAST).moves(held))


def test_behind_what_was_taken_out() -> None:
    assert moves([*OLD[:100], *OLD[150:]], start=100) == [CellMove(100, 150, 850)]


def test_behind_what_was_put_in() -> None:
    new = range(5000, 5007)
    assert moves([*OLD[:100], *new, *OLD[100:]], start=100) == [CellMove(107, 100, 900)]


def test_behind_each_of_several_edits() -> None:
    tokens = [*OLD[:100], 7000, *OLD[101:400], 7001, 7002, *OLD[401:]]
    assert moves(tokens, start=100) == [CellMove(101, 101, 299), CellMove(402, 401, 599)]


def test_short_runs_are_computed() -> None:
    assert moves([7000, *OLD[200 : 200 + LEAST - 1], 7001, *OLD[500:]]) == [CellMove(LEAST + 1, 500, 500)]


def test_the_longer_of_two_places_is_taken() -> None:
    held = [*OLD[:40], 1, *OLD[:90], 2, *OLD[:60]]
    assert moves([7000, *OLD[:90]], held) == [CellMove(1, 41, 90)]


def test_nothing_in_common() -> None:
    assert moves(range(2000, 2500)) == []
    assert moves([]) == []
    assert moves(OLD, []) == []


def test_likeness_tells_the_right_one() -> None:
    planner = MovePlanner([7, *OLD], 0, LEAST)
    assert planner.likeness(OLD) == len(OLD) // GRAM
    assert planner.likeness(range(3000, 4000)) == 0


@given(st.data())
def test_what_is_moved_is_the_same_and_in_order(data: st.DataObject) -> None:
    pieces = [list(range(100 * number, 100 * number + 60)) for number in range(6)]
    held = [token for piece in data.draw(st.lists(st.sampled_from(pieces), max_size=5)) for token in piece]
    tokens = [token for piece in data.draw(st.lists(st.sampled_from(pieces), max_size=5)) for token in piece[:50]]
    start = data.draw(st.integers(0, len(tokens)))
    target = source = 0
    for move in moves(tokens, held, start=start):
        assert move.length >= LEAST
        assert tokens[move.target : move.end] == held[move.source : move.source + move.length]
        assert move.target >= max(start, target)
        assert move.source >= source
        target, source = move.end, move.source + move.length
