"""What a browser keeps of its tab, and what comes of it when it is told to a program that knows no tabs."""

import pytest

from modules.library.chats.histories import Place
from modules.ui.replies.tab_state import ChatTab, place_text, placed_tab, unkept


@pytest.mark.parametrize(
    "tab",
    [
        ChatTab(),
        ChatTab(chat="20260102-10-00-00"),
        ChatTab(place=Place("Ann")),
        ChatTab(place=Place("Zoë/.."), chat="../x"),
    ],
)
def test_a_tab_comes_back_as_it_was(tab: ChatTab) -> None:
    assert placed_tab(place_text(tab)) == tab


def test_what_was_kept_nowhere_begins_anew() -> None:
    before = unkept(Place("Ann"))
    assert before.chat not in place_text(before)
    after = placed_tab(place_text(before))
    assert after is not None
    assert (after.place, after.is_kept) == (before.place, False)
    assert after.chat != before.chat


@pytest.mark.parametrize(
    "text",
    ["", "x", "null", "[]", "{}", '{"character": 1, "chat": "a"}', '{"character": null, "chat": 1}', '{"chat": ""}'],
)
def test_what_is_no_place(text: str) -> None:
    assert placed_tab(text) is None
