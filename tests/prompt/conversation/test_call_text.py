"""Calls that are written as text are those that the reply's own reader finds in it."""

import json

import pytest

from modules.messages import ToolCall, ToolSpec
from modules.prompt.conversation.repair import calls_as_text
from modules.reply.formats.registry import choose_tool_format
from modules.reply.tool_format import CallArguments, CallEnd, CallStart
from tests.model_files import template_files

ARGUMENTS = (
    '{"text": "a \\"b\\", c\\nd", "n": -1, "x": 0.5, "yes": true, "no": null, "list": [1, "two"], "o": {"k": "v"}}'
)
CALLS = (ToolCall("1", "look", ARGUMENTS), ToolCall("2", "walk", "{}"))
TOOLS = (ToolSpec("look"), ToolSpec("walk"))
# Those with no place for calls.
WITHOUT_CALLS = (
    "HuggingFaceTB-SmolLM3-3B",
    "LFM2-8B-A1B",
    "LFM2.5-Instruct",
    "google-gemma-2-2b-it",
    "ibm-granite-granite-3.3-2B-Instruct",
    "llama-cpp-rwkv-world",
    "microsoft-Phi-3.5-mini-instruct",
)


def read(text: str, source: str) -> list[tuple[str, object]]:
    parser = choose_tool_format(source).parser(TOOLS)
    calls: list[tuple[str, str]] = []
    ended = 0
    for piece in [*parser.feed(text), *parser.close()]:
        match piece:
            case CallStart(name):
                calls.append((name, ""))
            case CallArguments(more):
                calls[-1] = (calls[-1][0], calls[-1][1] + more)
            case CallEnd():
                ended += 1
    assert ended == len(calls)
    return [(name, json.loads(arguments)) for name, arguments in calls]


@pytest.mark.parametrize("name", WITHOUT_CALLS)
def test_the_text_of_calls_is_read_back(name: str) -> None:
    [source] = [path.read_text("utf-8") for path in template_files() if path.stem == name]
    expected = [(call.name, json.loads(call.arguments)) for call in CALLS]
    assert read(calls_as_text(CALLS, source), source) == expected
