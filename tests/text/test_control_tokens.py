"""Finding the texts of control tokens, for prompts and replies alike."""

import itertools

from modules.text.control_tokens import ControlTexts
from modules.text.held_text import ControlFilter

TEXTS = ("<a>", "a><b", "><", "§", "<a>long")


def test_starts_finds_overlapping_texts() -> None:
    assert list(ControlTexts(TEXTS).starts("x<a><b§")) == [1, 2, 3, 6]
    assert list(ControlTexts(()).starts("<a>")) == []


def test_removed_from_takes_the_longest_text_at_a_place() -> None:
    assert ControlTexts(TEXTS).removed_from("1<a>long2") == ("12", "")
    assert ControlTexts(TEXTS).removed_from("1<a>2<a") == ("12", "<a")


def test_membership_and_letters() -> None:
    controls = ControlTexts(TEXTS)
    assert "§" in controls
    assert "a>" not in controls
    assert set(controls.letters) == {ord("§")}
    assert not ControlTexts(("",))


def test_filter_shows_the_same_however_the_text_is_cut() -> None:
    text = "x<a><b§y<"
    whole = ControlFilter(ControlTexts(("<a>", "§")))
    expected = whole.feed(text) + whole.take()
    for first, second in itertools.combinations(range(len(text) + 1), 2):
        pieces = ControlFilter(ControlTexts(("<a>", "§")))
        shown = [pieces.feed(part) for part in (text[:first], text[first:second], text[second:])]
        assert "".join(shown) + pieces.take() == expected == "x<by<"
