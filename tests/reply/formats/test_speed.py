"""Reading costs the same for each character, however long the reply is."""

import json
import time

import pytest

from tests.reply.formats.golden import FORMATS, joined, pieces_of
from tests.reply.formats.offered_tools import TOOLS
from tests.reply.formats.test_constraints import CALLS

TEXT = 'Some text with < and { " in it, a line long.\n' * 2300
SECONDS = 2.0


@pytest.mark.parametrize("name", FORMATS)
def test_long_text_comes_letter_by_letter(name: str) -> None:
    assert len(TEXT) > 100_000
    started = time.process_time()
    assert joined(pieces_of(FORMATS[name], TEXT, TOOLS)) == [{"text": TEXT}]
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize("name", FORMATS)
def test_long_arguments_come_letter_by_letter(name: str) -> None:
    call = CALLS[name][0].replace('Rome \\"(<', json.dumps(TEXT)[1:-1]).replace('Rome "(<', TEXT)
    started = time.process_time()
    whole = joined(pieces_of(FORMATS[name], call, TOOLS))
    assert time.process_time() - started < SECONDS
    # One format takes a line break at the end of a value for its own.
    assert [each["arguments"]["city"].strip() for each in whole] == [TEXT.strip()]


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
    started = time.process_time()
    joined(pieces_of(FORMATS["json"], reply, TOOLS))
    assert time.process_time() - started < SECONDS
