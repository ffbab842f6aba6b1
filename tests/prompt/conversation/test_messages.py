"""Messages in the shape that Hugging Face's templates read."""

from typing import Any

import pytest

from modules.errors import NotSupported
from modules.messages import ImagePart, Message, Role, TextPart, ToolCall, ToolSpec
from modules.prompt.conversation.messages import fitted_tools, quoted, template_messages, template_tools
from modules.prompt.templates.shape import Shape

PLAIN = Shape()


def test_texts_are_one_string() -> None:
    message = Message(role=Role.USER, parts=(TextPart("a"), TextPart("b")), name="Ann")
    assert template_messages([message], shape=PLAIN) == [{"role": "user", "content": "ab", "name": "Ann"}]


def test_texts_can_be_typed_parts() -> None:
    message = Message(role=Role.USER, parts=(TextPart("a"), TextPart("b")))
    [turn] = template_messages([message], shape=Shape(as_parts=True))
    assert turn["content"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


def test_calls_keep_their_text() -> None:
    call = ToolCall(id="c1", name="f", arguments='{"x": [1]}')
    [turn] = template_messages([Message(role=Role.ASSISTANT, tool_calls=(call,))], shape=PLAIN)
    function = {"name": "f", "arguments": '{"x": [1]}'}
    assert turn["tool_calls"] == [{"id": "c1", "type": "function", "function": function}]
    assert turn["content"] == ""


def test_results_and_thoughts_are_passed_on() -> None:
    result = Message(role=Role.TOOL, parts=(TextPart("42"),), tool_call_id="c1")
    thought = Message(role=Role.ASSISTANT, parts=(TextPart("So."),), reasoning="Hm.")
    turns = template_messages([result, thought], shape=PLAIN)
    assert turns == [
        {"role": "tool", "content": "42", "tool_call_id": "c1"},
        {"role": "assistant", "content": "So.", "reasoning_content": "Hm.", "thinking": "Hm."},
    ]


def test_every_text_is_quoted_by_its_role() -> None:
    call = ToolCall(id="i", name="f", arguments="{}")
    message = Message(
        role=Role.ASSISTANT, parts=(TextPart("a"),), name="n", reasoning="r", tool_call_id="t", tool_calls=(call,)
    )
    assert quoted(message, lambda message, text: f"{message.role}:{text}") == Message(
        role=Role.ASSISTANT,
        parts=(TextPart("assistant:a"),),
        name="assistant:n",
        reasoning="assistant:r",
        tool_call_id="assistant:t",
        tool_calls=(ToolCall("assistant:i", "f", "assistant:{}"),),
    )


def test_content_beside_calls_can_be_null() -> None:
    call = ToolCall(id="c1", name="f", arguments="{}")
    empty, told = (Message(role=Role.ASSISTANT, parts=parts, tool_calls=(call,)) for parts in ((), (TextPart("So."),)))
    turns = template_messages([empty, told], shape=Shape(null_beside_calls=True))
    assert [turn["content"] for turn in turns] == [None, "So."]


def test_images_are_refused() -> None:
    with pytest.raises(NotSupported, match="text only"):
        template_messages([Message(role=Role.USER, parts=(ImagePart("data:,"),))], shape=PLAIN)


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


@pytest.mark.parametrize(
    ("schema", "fitted"),
    [
        ({"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["a"]}),
        ({"type": ["null", "integer"]}, {"type": "integer"}),
        ({"type": "null"}, {"type": "string"}),
        ({}, {"type": "string"}),
        (True, {"type": "string"}),
        ({"anyOf": [{"type": "null"}, {"type": "number", "minimum": 1}]}, {"type": "number", "minimum": 1}),
        ({"type": "array"}, {"type": "array", "items": {"type": "string", "description": ""}}),
        (
            {"properties": {"x": {"type": "boolean", "description": "d"}}, "additionalProperties": False},
            {
                "type": "object",
                "properties": {"x": {"type": "boolean", "description": "d"}},
                "additionalProperties": {"type": "string", "description": ""},
            },
        ),
    ],
)
def test_schemas_are_fitted_to_templates_that_know_plain_types(schema: object, fitted: dict[str, Any]) -> None:
    tools = template_tools([ToolSpec("f", "d", {"type": "object", "properties": {"a": schema}, "required": ["a"]})])
    [tool] = fitted_tools(tools or [])
    assert tool["function"]["parameters"]["properties"] == {"a": {"description": "", **fitted}}
    assert tool["function"]["parameters"]["required"] == ["a"]
