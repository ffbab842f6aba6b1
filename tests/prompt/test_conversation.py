"""Messages in the shape that Hugging Face's templates read."""

from typing import Any

import pytest

from modules.errors import NotSupported
from modules.messages import ImagePart, Message, Role, TextPart, ToolCall, ToolSpec, text_message
from modules.prompt.conversation import template_messages, template_tools
from modules.prompt.shape import Shape

PLAIN = Shape()


def as_is(message: Message, text: str) -> str:
    return text


def test_texts_are_one_string() -> None:
    message = Message(role=Role.USER, parts=(TextPart("a"), TextPart("b")), name="Ann")
    assert template_messages([message], shape=PLAIN, quote=as_is) == [{"role": "user", "content": "ab", "name": "Ann"}]


def test_texts_can_be_typed_parts() -> None:
    message = Message(role=Role.USER, parts=(TextPart("a"), TextPart("b")))
    [turn] = template_messages([message], shape=Shape(as_parts=True), quote=as_is)
    assert turn["content"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


def test_calls_keep_their_text() -> None:
    call = ToolCall(id="c1", name="f", arguments='{"x": [1]}')
    [turn] = template_messages([Message(role=Role.ASSISTANT, tool_calls=(call,))], shape=PLAIN, quote=as_is)
    function = {"name": "f", "arguments": '{"x": [1]}'}
    assert turn["tool_calls"] == [{"id": "c1", "type": "function", "function": function}]
    assert turn["content"] == ""


def test_results_and_thoughts_are_passed_on() -> None:
    result = Message(role=Role.TOOL, parts=(TextPart("42"),), tool_call_id="c1")
    thought = Message(role=Role.ASSISTANT, parts=(TextPart("So."),), reasoning="Hm.")
    turns = template_messages([result, thought], shape=PLAIN, quote=as_is)
    assert turns == [
        {"role": "tool", "content": "42", "tool_call_id": "c1"},
        {"role": "assistant", "content": "So.", "reasoning_content": "Hm.", "thinking": "Hm."},
    ]


def test_every_text_is_quoted_by_its_role() -> None:
    messages = [text_message(Role.SYSTEM, "s"), Message(role=Role.USER, parts=(TextPart("u"),), name="n")]
    turns = template_messages(messages, shape=PLAIN, quote=lambda message, text: f"{message.role}:{text}")
    assert turns == [
        {"role": "system", "content": "system:s"},
        {"role": "user", "content": "user:u", "name": "user:n"},
    ]


def test_images_are_refused() -> None:
    with pytest.raises(NotSupported, match="text only"):
        template_messages([Message(role=Role.USER, parts=(ImagePart(b"", "image/png"),))], shape=PLAIN, quote=as_is)


def test_tools_have_openais_shape() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string"}}}
    assert template_tools([ToolSpec("f", "does f", schema)]) == [
        {"type": "function", "function": {"name": "f", "description": "does f", "parameters": schema}}
    ]


@pytest.mark.parametrize("parameters", [None, {}, {"type": "object"}])
def test_tools_without_arguments_have_an_empty_schema(parameters: dict[str, Any] | None) -> None:
    [tool] = template_tools([ToolSpec("f", parameters=parameters)]) or []
    assert tool["function"]["parameters"]["properties"] == {}


def test_custom_tools_take_one_text() -> None:
    [tool] = template_tools([ToolSpec("f", is_custom=True)]) or []
    assert tool["function"]["parameters"]["properties"] == {"input": {"type": "string"}}


def test_no_tools_are_none() -> None:
    assert template_tools([]) is None
