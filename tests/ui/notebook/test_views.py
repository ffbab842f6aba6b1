"""What the notebook makes of tokens and of HTML: nothing of it is a tag of the page."""

import math

import pytest

from modules.engine.types import Alternative
from modules.ui.notebook.text import NotebookText, UndoSteps
from modules.ui.notebook.views import counted, framed, next_tokens_html, shown_piece, tokens_html


def test_next_tokens_are_shares_of_one() -> None:
    html = next_tokens_html([Alternative(5, b" <b>", math.log(0.25)), Alternative(6, b"\n", math.log(0.125))])
    assert "25.00 %" in html
    assert "12.50 %" in html
    assert "·&lt;b&gt;" in html
    assert "⏎" in html
    assert "<b>" not in html


@pytest.mark.parametrize(
    ("data", "shown"),
    [(b" a", "·a"), (b"\xc3", "\\xc3"), ("é".encode(), "é"), (b"<script>", "&lt;script&gt;"), (b"\t", "⇥")],
)
def test_pieces(data: bytes, shown: str) -> None:
    assert shown_piece(data) == shown


def test_tokens_say_when_there_are_more() -> None:
    assert "first 1 of 1,234" in tokens_html([(1, "<a>")], 1234)
    assert "first" not in tokens_html([(1, "a")], 1)
    assert "<a>" not in tokens_html([(1, "<a>")], 1)


def test_a_text_cannot_leave_its_frame() -> None:
    html = framed('"><script>alert(1)</script>')
    assert "<script>" not in html
    assert html.count('"') % 2 == 0
    assert 'sandbox=""' in html


def test_counts() -> None:
    assert [counted(0), counted(1), counted(1500)] == ["0 tokens", "1 token", "1,500 tokens"]


def test_a_sheet_goes_on_where_it_should() -> None:
    one = NotebookText(text="a", continuation="hidden")
    assert one.with_words("b").whole == "ab"
    two = NotebookText(text="a", continuation="b", has_columns=True)
    assert two.with_words("c").whole == "abc"
    assert two.afresh().whole == "a"


def test_steps_back_are_bounded() -> None:
    steps = UndoSteps()
    for number in range(60):
        steps.begin(NotebookText(text=str(number)), NotebookText(text="begun"))
    assert steps.begun == NotebookText(text="begun")
    back = [steps.back() for _ in range(51)]
    assert back[0] == NotebookText(text="59")
    assert back[49] == NotebookText(text="10")
    assert back[50] is None
