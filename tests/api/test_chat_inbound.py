"""The body of a chat request → ChatRequest."""

import json
from typing import Any

import pytest

from extensions.openai.chat.inbound import chat_request
from extensions.openai.typing import ChatCompletionRequest
from modules.errors import BadRequest
from modules.messages import Message, Role, TextPart, ToolCall
from modules.requests import ChatRequest, Mode, Persona, TemplateChoice
from modules.settings.values import Settings


def request(settings: Settings | None = None, **fields: Any) -> ChatRequest:
    body = {"messages": [{"role": "user", "content": "hi"}], **fields}
    return chat_request(ChatCompletionRequest.model_validate(body), settings or Settings())


def message(**fields: Any) -> Message:
    return request(messages=[fields]).messages[0]


def test_persona_by_either_name() -> None:
    described: dict[str, Any] = {
        "context": "c",
        "greeting": "g",
        "user_bio": "b",
        "chat_instruct_command": "<|prompt|>",
    }
    expected = Persona(
        mode=Mode.CHAT_INSTRUCT,
        character="Example",
        bot_name="Bot",
        user_name="Me",
        chat_template="{{ name1 }}",
        **described,
    )
    fields = {"mode": "chat-instruct", "character": "Example", "chat_template_str": "{{ name1 }}", **described}
    assert request(name1="Me", name2="Bot", **fields).persona == expected
    assert request(user_name="Me", bot_name="Bot", **fields).persona == expected
    assert request(user_name="no", bot_name="no", name1="Me", name2="Bot", **fields).persona == expected
    assert request().persona == Persona()


def test_templates() -> None:
    assert request(instruction_template="Alpaca").template == TemplateChoice(name="Alpaca")
    assert request(instruction_template_str="{{ 1 }}").template == TemplateChoice(source="{{ 1 }}")


@pytest.mark.parametrize(
    ("fields", "continues", "prompts"),
    [
        ({}, False, True),
        ({"continue_": True}, True, True),
        ({"continue_final_message": True}, True, True),
        ({"continue_final_message": True, "add_generation_prompt": False}, True, False),
        ({"add_generation_prompt": False}, False, False),
        ({"add_generation_prompt": True}, False, True),
    ],
)
def test_going_on_and_beginning(fields: dict[str, Any], continues: bool, prompts: bool) -> None:
    asked = request(**fields)
    assert (asked.continue_last, asked.add_generation_prompt) == (continues, prompts)


@pytest.mark.parametrize(("asked", "given"), [(None, False), ("disabled", False), ("auto", True)])
def test_truncation(asked: str | None, given: bool) -> None:
    assert request(truncation=asked).truncates is given


@pytest.mark.parametrize(
    ("fields", "arguments"),
    [
        ({}, {"enable_thinking": True}),
        ({"enable_thinking": False}, {"enable_thinking": False}),
        ({"reasoning_effort": "none"}, {"enable_thinking": False}),
        ({"reasoning_effort": "none", "enable_thinking": True}, {"enable_thinking": True}),
        ({"reasoning_effort": "max"}, {"enable_thinking": True, "reasoning_effort": "max"}),
        ({"reasoning": {"effort": "low"}}, {"enable_thinking": True, "reasoning_effort": "low"}),
        ({"reasoning": {"enabled": False}}, {"enable_thinking": False}),
        (
            {"reasoning": {"effort": "low"}, "reasoning_effort": "high"},
            {"enable_thinking": True, "reasoning_effort": "high"},
        ),
        ({"reasoning_budget": 0}, {"enable_thinking": False}),
        (
            {"chat_template_kwargs": {"enable_thinking": False, "x": 1}},
            {"enable_thinking": False, "x": 1},
        ),
    ],
)
def test_how_the_model_thinks(fields: dict[str, Any], arguments: dict[str, Any]) -> None:
    assert request(**fields).template_arguments == {"preserve_thinking": False} | arguments


def test_settings_say_how_the_model_thinks_where_the_request_does_not() -> None:
    settings = Settings(enable_thinking=False, reasoning_effort="low", preserve_thinking=True)
    expected = {"enable_thinking": False, "reasoning_effort": "low", "preserve_thinking": True}
    assert request(settings).template_arguments == expected
    assert request(settings, enable_thinking=True).template_arguments["enable_thinking"] is True


@pytest.mark.parametrize(
    ("fields", "budget"),
    [
        ({}, None),
        ({"reasoning_budget": 5}, 5),
        ({"thinking_budget": 0}, 0),
        ({"thinking_token_budget": 7}, 7),
        ({"reasoning": {"max_tokens": 9}}, 9),
        ({"reasoning_budget": -1}, None),
        ({"reasoning_budget": 5, "thinking_budget": 6}, 5),
    ],
)
def test_how_long_the_model_thinks(fields: dict[str, Any], budget: int | None) -> None:
    assert request(**fields).reasoning_budget == budget


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant", "tool", "function"])
@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("a", ("a",)),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], ("a", "b")),
        (["a", {"type": "input_text", "text": "b"}], ("a", "b")),
        ([], ()),
        (None, ()),
    ],
)
def test_content_in_every_form_for_every_role(role: str, content: object, parts: tuple[str, ...]) -> None:
    assert message(role=role, content=content).parts == tuple(TextPart(text) for text in parts)


def test_replies_without_text() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    assert message(role="assistant", tool_calls=[call]) == Message(
        role=Role.ASSISTANT, tool_calls=(ToolCall("c1", "f", '{"a": 1}'),)
    )
    assert message(role="assistant", reasoning_content="hm").reasoning == "hm"
    assert message(role="assistant", content=None, reasoning="hm").reasoning == "hm"
    assert message(role="assistant", content=None, refusal="No.").text == "No."
    assert message(role="assistant", content="") == Message(role=Role.ASSISTANT, parts=(TextPart(""),))


def test_thoughts_among_the_parts_are_no_text() -> None:
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "x"}]
    assert message(role="assistant", content=parts) == Message(
        role=Role.ASSISTANT, parts=(TextPart("x"),), reasoning="hm"
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ('{"a": ', '{"a": '),
        ("no json", "no json"),
        ({"a": "é"}, '{"a": "é"}'),
        ("", "{}"),
        (None, "{}"),
        ({}, "{}"),
    ],
)
def test_replayed_arguments_reach_the_model_as_they_are(arguments: object, text: str) -> None:
    call = {"id": None, "function": {"name": "f", "arguments": arguments}}
    assert message(role="assistant", tool_calls=[call]).tool_calls == (ToolCall("", "f", text),)
    assert message(role="assistant", function_call={"name": "f", "arguments": arguments}).tool_calls == (
        ToolCall("", "f", text),
    )


def test_replayed_free_text_calls() -> None:
    [call] = message(
        role="assistant", tool_calls=[{"id": "c", "type": "custom", "custom": {"name": "p", "input": 'a"b'}}]
    ).tool_calls
    assert (call.id, call.name, json.loads(call.arguments)) == ("c", "p", {"input": 'a"b'})


def test_results_of_calls() -> None:
    expected = Message(role=Role.TOOL, parts=(TextPart("42"),), tool_call_id="c1", name="f")
    assert message(role="tool", tool_call_id="c1", name="f", content="42") == expected
    assert message(role="tool", tool_call_id=None, content="42").tool_call_id is None
    assert message(role="function", name="f", content="42").name == "f"


def test_a_form_for_the_reply() -> None:
    assert request().constraint is None
    asked = request(response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}})
    assert asked.constraint is not None
    assert (asked.constraint.kind, json.loads(asked.constraint.text)) == ("json_schema", {"type": "object"})


def test_a_refusal_names_the_message() -> None:
    with pytest.raises(BadRequest) as refusal:
        request(messages=[{"role": "user", "content": "x"}, {"role": "robot", "content": "x"}])
    assert refusal.value.param == "messages[1].role"


def of_input(given: object, **fields: Any) -> ChatRequest:
    return chat_request(ChatCompletionRequest.model_validate({"input": given, **fields}), Settings())


def test_a_body_of_the_responses_api_is_read_as_one() -> None:
    """As Cursor sends it here."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    read = of_input(
        [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": [{"type": "input_text", "text": "go"}]},
            {"type": "function_call", "call_id": "1", "name": "read_file", "arguments": '{"path": "a"}'},
            {"type": "function_call_output", "call_id": "1", "output": "text"},
        ],
        instructions="First.",
        tools=[{"type": "function", "name": "read_file", "description": "d", "strict": False, "parameters": schema}],
        tool_choice={"type": "function", "name": "read_file"},
        reasoning={"effort": "high", "summary": "auto"},
        text={"format": {"type": "json_schema", "name": "n", "schema": schema}},
        max_output_tokens=9,
        store=False,
        include=["reasoning.encrypted_content"],
    )
    assert [(turn.role, turn.text) for turn in read.messages] == [
        (Role.SYSTEM, "First."),
        (Role.SYSTEM, "Be short."),
        (Role.USER, "go"),
        (Role.ASSISTANT, ""),
        (Role.TOOL, "text"),
    ]
    assert read.messages[3].tool_calls == (ToolCall("1", "read_file", '{"path": "a"}'),)
    assert [tool.name for tool in read.tools] == list(read.tool_choice.names) == ["read_file"]
    assert read.template_arguments["reasoning_effort"] == "high"
    assert read.limits.max_tokens == 9
    assert read.constraint is not None
    assert read.constraint.param == "text.format"
    assert of_input("hi").messages == request().messages
    assert request(input="no", previous_response_id="resp_1").messages == request().messages


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "messages"),
        ({"messages": None}, "messages"),
        ({"input": []}, "input"),
        ({"input": "x", "previous_response_id": "resp_1"}, "previous_response_id"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url"),
    ],
)
def test_a_body_without_a_conversation_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        chat_request(ChatCompletionRequest.model_validate(fields), Settings())
    assert refusal.value.param == param
