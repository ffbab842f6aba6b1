"""However text is split, a reply ends at the first place where a stop string stands."""

from hypothesis import example, given
from hypothesis import strategies as st

from modules.engine.stops import StopScanner
from tests.splits import cut

LETTERS = "ab#🙂"
texts = st.text(LETTERS, max_size=14)
stop_lists = st.lists(st.text(LETTERS, max_size=4), max_size=4)
splits = st.lists(st.integers(0, 14), max_size=6)


def cut_at_first_stop(text: str, stops: list[str]) -> tuple[str, str | None]:
    for at in range(len(text)):
        here = [stop for stop in stops if stop and text.startswith(stop, at)]
        if here:
            return text[:at], min(here, key=len)
    return text, None


def scan(pieces: list[str], stops: list[str]) -> tuple[str, str | None]:
    scanner, shown = StopScanner(stops), ""
    for piece in pieces:
        released = scanner.feed(piece)
        shown += released.text
        if released.stop is not None:
            return shown, released.stop
    rest = scanner.flush()
    return shown + rest.text, rest.stop


@given(texts, stop_lists, splits)
@example("abc###", ["###", "c#"], [4])
@example("ab", ["abb", "b"], [1])
@example("aab", ["ab", "aac"], [1, 2])
def test_every_split_ends_where_the_whole_text_does(text: str, stops: list[str], cuts: list[int]) -> None:
    assert scan(cut(text, cuts), stops) == cut_at_first_stop(text, stops)


@given(texts, stop_lists, splits)
def test_nothing_is_held_back_but_what_may_become_a_stop(text: str, stops: list[str], cuts: list[int]) -> None:
    scanner, shown, seen = StopScanner(stops), "", ""
    for piece in cut(text, cuts):
        seen += piece
        released = scanner.feed(piece)
        shown += released.text
        if released.stop is not None:
            return
        assert seen.startswith(shown)
        held = seen.removeprefix(shown)
        assert not held or any(stop.startswith(held) and stop != held for stop in stops)


def test_the_first_stop_in_the_text_wins_and_not_the_first_in_the_list() -> None:
    assert scan(["one END two STOP"], ["STOP", "END"]) == ("one ", "END")


def test_a_reply_may_end_in_the_beginning_of_a_stop() -> None:
    assert scan(["C", "#"], ["###"]) == ("C#", None)


def test_a_shorter_stop_waits_for_an_earlier_one_that_is_incomplete() -> None:
    assert scan(["x<", "b"], ["<bc", "b"]) == ("x<", "b")
    assert scan(["x<", "b", "c"], ["<bc", "b"]) == ("x", "<bc")


def test_without_stops_nothing_waits() -> None:
    assert StopScanner(["", ""]).feed("text").text == "text"
