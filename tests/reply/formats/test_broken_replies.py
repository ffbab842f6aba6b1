"""Replies that break off, and values that hold the marks of calls: no half of a call leaves as a whole one."""

import json

import pytest

from modules.reply.tool_format import CallEnd, Piece
from tests.reply.formats.golden import FORMATS, joined, pieces_of
from tests.reply.formats.offered_tools import TOOLS
from tests.reply.formats.test_constraints import CALLS

each_format = pytest.mark.parametrize("name", FORMATS)
CITY = 'Rome "(<'


def read_until(name: str, reply: str, *, is_cut: bool) -> list[Piece]:
    parser = FORMATS[name].parser(TOOLS)
    return [*parser.feed(reply), *parser.close(is_cut=is_cut)]


@each_format
def test_a_reply_that_ends_early_has_no_half_of_a_value(name: str) -> None:
    """Its model forgot closing marks at most: what is a call has all that the tool needs, each value as it was."""
    reply = CALLS[name][0]
    for place in range(len(reply)):
        for each in joined(read_until(name, reply[:place], is_cut=False)):
            if "call" in each:
                assert each["arguments"] in ({"city": CITY}, {"city": CITY, "days": 3}), reply[:place]


@each_format
def test_nothing_is_made_up_for_a_reply_that_was_cut(name: str) -> None:
    reply = CALLS[name][0]
    for place in range(len(reply)):
        for each in joined(read_until(name, reply[:place], is_cut=True)):
            if "call" in each:
                assert each["arguments"] == {"city": CITY, "days": 3}, reply[:place]


@each_format
def test_whatever_is_no_call_is_text(name: str) -> None:
    """The text of a call that broke off is all that was said of it."""
    reply = CALLS[name][0].lstrip()
    for place in range(1, len(reply)):
        whole = joined(read_until(name, reply[:place], is_cut=False))
        if not any("call" in each for each in whole) and name != "muse":
            assert "".join(each.get("text", "") for each in whole) == reply[:place]


@each_format
def test_a_value_may_hold_the_marks(name: str) -> None:
    """Any mark, as long as what follows it is no other mark."""
    tool_format = FORMATS[name]
    marks = (*tool_format.openers, *getattr(tool_format, "closers", ()), *tool_format.markers)
    tags = ("</parameter>", "</arg_value>", "</param>", "</argument>", "</function>", "</invoke>", "]", ")", "}", "```")
    for mark in dict.fromkeys((*marks, *tags)):
        text = f"a {mark} b\n{mark}c"
        reply = CALLS[name][0].replace('Rome \\"(<', json.dumps(text)[1:-1]).replace(CITY, text)
        assert joined(pieces_of(tool_format, [reply], TOOLS)) == [
            {"call": "get_weather", "arguments": {"city": text, "days": 3}}
        ], mark


@each_format
def test_a_mark_in_prose_is_text(name: str) -> None:
    for opener in FORMATS[name].openers:
        for text in (f"Write {opener} before a call.", f"{opener}", f"{opener} get_weather", f"a {opener}\n{opener} b"):
            pieces = read_until(name, text, is_cut=False)
            assert not any(isinstance(piece, CallEnd) for piece in pieces)
