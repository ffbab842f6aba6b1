"""Reading costs the same for each character, however long the reply is."""

import json
from collections.abc import Callable

import pytest

from tests.daily import some_daily
from tests.effort import effort_ratio
from tests.reply.formats.golden import FORMATS, joined, pieces_of
from tests.reply.formats.offered_tools import TOOLS
from tests.reply.formats.test_constraints import CALLS

LINE = 'Some text with < and { " in it, a line long.\n'
LINES = 400
# Four times as much takes four times as long where the cost per character stays the same, and sixteen where it grows.
GROWTH = 10.0
# In multiples of the effort for plain text of the same length.
MADE_TO_BE_SLOW = 10.0


def assert_steady(read: Callable[[str], object]) -> None:
    """`read` takes a text of 4.5 and of 18 kB."""
    many, few = LINE * LINES, LINE * (LINES // 4)
    assert effort_ratio(lambda: read(many), lambda: read(few), times=2) < GROWTH


def assert_no_trap(name: str, reply: str) -> None:
    plain = (LINE * (len(reply) // len(LINE) + 1))[: len(reply)]
    ratio = effort_ratio(
        lambda: joined(pieces_of(FORMATS[name], reply, TOOLS)),
        lambda: joined(pieces_of(FORMATS[name], plain, TOOLS)),
        times=1,
    )
    assert ratio < MADE_TO_BE_SLOW


@pytest.mark.parametrize("name", some_daily(FORMATS, every=4))
def test_long_text_comes_letter_by_letter(name: str) -> None:
    def read(text: str) -> None:
        assert joined(pieces_of(FORMATS[name], text, TOOLS)) == [{"text": text}]

    assert_steady(read)


@pytest.mark.parametrize("name", some_daily(FORMATS, every=4))
def test_long_arguments_come_letter_by_letter(name: str) -> None:
    def read(text: str) -> None:
        call = CALLS[name][0].replace('Rome \\"(<', json.dumps(text)[1:-1]).replace('Rome "(<', text)
        whole = joined(pieces_of(FORMATS[name], call, TOOLS))
        # One format takes a line break at the end of a value for its own.
        assert [each["arguments"]["city"].strip() for each in whole] == [text.strip()]

    assert_steady(read)


@pytest.mark.parametrize(
    "reply",
    [
        '<tool_call>{"name": "plan", "arguments": ' + '{"a":' * 20_000,
        "<tool_call>" * 10_000,
        '<tool_call>[{"id":' + "[" * 100_000,
        "\n" * 100_000 + "<tool",
        '{"name": "get_time", "arguments": "' + "\\\\" * 50_000,
        '<tool_call>{"id": "' * 5_000,
    ],
)
def test_replies_made_to_be_slow(reply: str) -> None:
    assert_no_trap("json", reply)


EDIT = "<tool_call>\n<function=plan>\n<parameter=free>\n"


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("xml-parameters", EDIT + "</parameter> x" * 5000),
        ("xml-parameters", EDIT + ("</parameter>" + " " * 50) * 2000),
        ("xml-parameters", EDIT + "</parameter>\n</function>\n" * 4000),
        ("xml-parameters", EDIT + "<parameter=steps>" * 4000),
        ("lfm2", "<|tool_call_start|>[plan(free='" + "', abc" * 10_000),
        (
            "minimax-m3",
            ']<]minimax[>[<tool_call>]<]minimax[>[<invoke name="plan">]<]minimax[>[<free>'
            + "]<]minimax[>[</free> " * 4000,
        ),
        ("gemma", '<|tool_call>call:plan{free:<|"|>' + '<|"|> x' * 5000),
        ("json", '<tool_call>{"name": "plan", "arguments": {"free": x' * 3000),
    ],
)
def test_marks_in_values_cost_no_more(name: str, reply: str) -> None:
    assert_no_trap(name, reply)
