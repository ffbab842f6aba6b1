"""Golden replies of every format say the same however they are cut into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.reply.tool_format import CallArguments
from tests.reply.formats.golden import FORMATS, Golden, golden_replies, joined, pieces_of
from tests.reply.formats.offered_tools import TOOLS
from tests.splits import cut

GOLDEN = golden_replies()
each_reply = pytest.mark.parametrize("golden", GOLDEN, ids=lambda each: f"{each.format}: {each.name}")


def said(golden: Golden, parts: list[str]) -> list[dict[str, object]]:
    return joined(pieces_of(golden.tool_format, parts, TOOLS))


def test_every_format_has_golden_replies() -> None:
    assert {golden.format for golden in GOLDEN} == set(FORMATS)
    assert len(FORMATS) == 28


@each_reply
def test_whole(golden: Golden) -> None:
    assert said(golden, [golden.reply]) == list(golden.pieces)


@each_reply
def test_character_by_character(golden: Golden) -> None:
    assert said(golden, list(golden.reply)) == list(golden.pieces)


@each_reply
def test_cut_once_anywhere(golden: Golden) -> None:
    for place in range(1, len(golden.reply)):
        assert said(golden, cut(golden.reply, [place])) == list(golden.pieces), place


@given(st.sampled_from(GOLDEN), st.lists(st.integers(1, 400)))
def test_cut_at_random(golden: Golden, places: list[int]) -> None:
    assert said(golden, cut(golden.reply, places)) == list(golden.pieces)


@given(st.sampled_from(GOLDEN), st.sampled_from(GOLDEN), st.data())
def test_damaged_replies_end_in_order(golden: Golden, other: Golden, data: st.DataObject) -> None:
    """Whatever the model says, nothing is raised, and complete calls have JSON objects as arguments."""
    start = data.draw(st.integers(0, len(golden.reply)))
    end = data.draw(st.integers(start, len(golden.reply)))
    reply = golden.reply[:start] + other.reply[: data.draw(st.integers(0, len(other.reply)))] + golden.reply[end:]
    whole = joined(pieces_of(golden.tool_format, [reply], TOOLS))
    assert whole == joined(pieces_of(golden.tool_format, list(reply), TOOLS))
    assert all(isinstance(each["arguments"], dict) for each in whole if "call" in each)


@pytest.mark.parametrize("name", FORMATS)
@given(text=st.text(st.sampled_from("<>[]{}()|=:,'\"\\ \n`tool_calget_timefunctions"), max_size=60))
def test_without_tools_everything_is_text(name: str, text: str) -> None:
    assert joined(pieces_of(FORMATS[name], list(text), ())) == ([{"text": text}] if text else [])


@each_reply
def test_arguments_come_as_they_are_written(golden: Golden) -> None:
    """A text argument streams letter by letter, and does not wait for its end."""
    parser = golden.tool_format.parser(TOOLS)
    streamed = [piece for character in golden.reply for piece in parser.feed(character)]
    texts = [piece.text for piece in streamed if isinstance(piece, CallArguments)]
    if any(each.get("arguments", {}).get("city") == "Paris" for each in golden.pieces):
        assert "aris" in "".join(text for text in texts if len(text) == 1)
