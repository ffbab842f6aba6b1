"""What a template writes of a call, read back, is that call: for every template, however the reply is cut."""

import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from modules.engine.types import Chunk, Finish
from modules.errors import BadRequest
from modules.messages import ToolSpec
from modules.reply.format import ReplyFormat
from modules.reply.formats.registry import choose_tool_format
from modules.reply.reasoning.formats import choose_reasoning
from tests.daily import some_daily
from tests.model_files import template_files
from tests.reply.formats.chat_templates import TemplateWriter, Turn, assistant
from tests.reply.test_split_formats import Said, events_of
from tests.splits import cut

# Templates that write no calls, and those that write one in a message at most.
WRITE_NO_CALLS = frozenset(
    {
        "HuggingFaceTB-SmolLM3-3B",
        "LFM2-8B-A1B",
        "LFM2.5-Instruct",
        "deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
        "google-gemma-2-2b-it",
        "ibm-granite-granite-3.3-2B-Instruct",
        "llama-cpp-rwkv-world",
        "microsoft-Phi-3.5-mini-instruct",
    }
)
WRITE_ONE_CALL = frozenset(
    {
        "GigaChat3-10B-A1.8B",
        "GigaChat3.1-10B-A1.8B",
        "meta-llama-Llama-3.1-8B-Instruct",
        "meta-llama-Llama-3.2-3B-Instruct",
        "meta-llama-Llama-3.3-70B-Instruct",
        "openai-gpt-oss-120b",
    }
)
# These end the turn between the text and the call, which no reply does.
ENDS_TURN_BETWEEN = frozenset({"NVIDIA-Nemotron-Nano-v2", "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B"})
SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "description": "d"},
        "count": {"type": "integer", "description": "d"},
        "ratio": {"type": "number", "description": "d"},
        "on": {"type": "boolean", "description": "d"},
        "tags": {"type": "array", "items": {"type": "string"}, "description": "d"},
        "deep": {
            "type": "object",
            "description": "d",
            "properties": {
                "a": {"type": "integer"},
                "b": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"c": {"type": "string"}},
                        "additionalProperties": {"type": "string"},
                    },
                },
            },
            "additionalProperties": {"type": "string"},
        },
    },
    "required": ["text"],
}
NOTHING: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
SPECS = (ToolSpec("write", description="d", parameters=SCHEMA), ToolSpec("get_time", parameters=NOTHING))
TOOLS = [
    {"type": "function", "function": {"name": "write", "description": "d", "parameters": SCHEMA}},
    {"type": "function", "function": {"name": "get_time", "description": "d", "parameters": NOTHING}},
]
ONE_CALL: dict[str, tuple[str, dict[str, Any]]] = {
    "text": ("write", {"text": "Paris"}),
    "quotes": ("write", {"text": 'O\'Rome "q" `x`'}),
    "line breaks": ("write", {"text": "a\nb\n\n  c\td"}),
    "tags": ("write", {"text": "<p>write </parameter> here</p> </arg_value> x </param> </invoke> <b> ]> }] )"}),
    "unicode": ("write", {"text": "日本 🎉 é"}),
    "numbers": ("write", {"text": "x", "count": -3, "ratio": -0.5}),
    "other numbers": ("write", {"text": "x", "count": 0, "ratio": 12.25}),
    "true": ("write", {"text": "x", "on": True}),
    "false": ("write", {"text": "true", "on": False}),
    "list": ("write", {"text": "x", "tags": ["a", "b c", "d, e"]}),
    "nothing in it": ("write", {"text": "x", "tags": [], "deep": {}}),
    "deep": ("write", {"text": "x", "deep": {"a": 1, "b": [{"c": "y"}, {"c": "z"}]}}),
    "text that looks like JSON": ("write", {"text": '{"a": 1}'}),
    "text that looks like a number": ("write", {"text": "12"}),
    "no arguments": ("get_time", {}),
}
TWO_CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("write", {"text": "a"}),
    ("get_time", {}),
    ("write", {"text": "b", "count": 2}),
)

each_template = pytest.mark.parametrize("path", some_daily(template_files(), every=3, ids=lambda path: path.stem))


@cache
def writer_of(path: Path) -> TemplateWriter:
    return TemplateWriter(path.read_text("utf-8"), TOOLS)


def format_of(path: Path, turn: Turn) -> ReplyFormat:
    source = path.read_text("utf-8")
    found = [choose_reasoning(source, prompt) for prompt in turn.prompts]
    reasoning = next((each for each in found if each.is_open), found[-1])
    return ReplyFormat(reasoning=reasoning, tool_format=choose_tool_format(source), tools=SPECS)


def told(reply_format: ReplyFormat, pieces: list[str]) -> Said:
    reply = Said()
    chunks = [Chunk(text=piece, tokens=(0,)) for piece in pieces]
    for event in events_of(reply_format, [*chunks, Chunk(finish=Finish.STOP)]):
        reply.add(event)
    return reply


def read(path: Path, message: dict[str, Any]) -> tuple[Said, Turn]:
    """What is read of the reply that the template writes, which does not depend on how it is cut."""
    turn = writer_of(path).turn(message)
    reply_format = format_of(path, turn)
    whole = told(reply_format, [turn.reply])
    random = Random(turn.reply)
    places = [random.sample(range(len(turn.reply)), min(12, len(turn.reply) // 3)) for _ in range(3)]
    for pieces in (list(turn.reply), *(cut(turn.reply, each) for each in places)):
        other = told(reply_format, pieces)
        assert (other.calls, other.content, other.thought) == (whole.calls, whole.content, whole.thought), pieces
    assert whole.complete == len(whole.calls)
    return whole, turn


def calls_in(reply: Said) -> list[tuple[str, Any]]:
    return [(name, json.loads(arguments)) for name, arguments in reply.calls]


def writes_calls(path: Path) -> bool:
    return path.stem not in WRITE_NO_CALLS


def test_there_are_templates() -> None:
    """`python3 one_click.py test` gets them."""
    names = {path.stem for path in template_files()}
    assert names >= WRITE_NO_CALLS | WRITE_ONE_CALL | ENDS_TURN_BETWEEN


@each_template
def test_which_templates_write_calls(path: Path) -> None:
    turn = writer_of(path).turn(assistant(("write", {"text": "Zebra"})))
    assert ("Zebra" in turn.reply) == writes_calls(path)


@each_template
def test_one_call(path: Path) -> None:
    for name, call in ONE_CALL.items() if writes_calls(path) else ():
        reply, turn = read(path, assistant(call))
        assert calls_in(reply) == [call], (name, turn.reply)
        assert (reply.content, reply.thought) == ("", ""), (name, turn.reply)


@each_template
def test_several_calls(path: Path) -> None:
    if path.stem in WRITE_NO_CALLS | WRITE_ONE_CALL:
        return
    reply, turn = read(path, assistant(*TWO_CALLS))
    assert calls_in(reply) == list(TWO_CALLS), turn.reply
    assert (reply.content, reply.thought) == ("", ""), turn.reply


@each_template
def test_a_thought_or_text_before_a_call(path: Path) -> None:
    """A template may leave out either, or turn one into the other."""
    if not writes_calls(path):
        return
    for said_before in ({"reasoning_content": "Thinking."}, {"content": "Talking."}):
        reply, turn = read(path, assistant(ONE_CALL["quotes"], **said_before))
        if "write" in turn.reply:
            assert calls_in(reply) == [ONE_CALL["quotes"]], turn.reply
        shown = {word for word in ("Thinking.", "Talking.") if word in turn.reply}
        if path.stem in ENDS_TURN_BETWEEN:
            continue
        assert {reply.content.strip(), reply.thought.strip()} - {""} <= shown, turn.reply
        assert not any(mark in reply.content + reply.thought for mark in "<>[]|"), turn.reply


@each_template
def test_a_thought_and_an_answer(path: Path) -> None:
    """Nothing of the marks around them is left, wherever the reply is cut off."""
    try:
        reply, turn = read(path, assistant(content="Talking.", reasoning_content="Thinking."))
    except BadRequest:
        return
    reply_format = format_of(path, turn)
    if "Thinking." in turn.reply or not reply_format.reasoning.is_open:
        assert reply.content.strip() == "Talking.", turn.reply
    assert reply.thought.strip() in {"Thinking.", ""} or reply_format.reasoning.is_open, turn.reply
    for place in range(turn.reply.index("Talking."), len(turn.reply)):
        part = told(reply_format, [turn.reply[:place]])
        assert "Talking.".startswith(part.content.strip().rstrip("<[")), (place, turn.reply)
