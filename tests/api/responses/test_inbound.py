"""Bodies of responses requests → what the model is asked, and what the response repeats."""

import logging
from typing import Any

import pytest

from extensions.openai.common.items.inbound import items_of
from extensions.openai.common.items.schema import sealed
from extensions.openai.responses.inbound import chat_request, draft_of, presentation_of
from extensions.openai.responses.schema import CreateResponseRequest
from modules.errors import BadRequest
from modules.messages import Message, Role, ToolCall, ToolChoice, ToolUse
from modules.requests import ChatRequest
from modules.settings.values import Settings

WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "Tells it.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": True,
}
PATCH = {"type": "custom", "name": "patch", "description": "Patches."}
SEARCH = {"type": "web_search"}


def body_of(given: object = "hi", **fields: Any) -> CreateResponseRequest:
    return CreateResponseRequest.model_validate({"input": given, **fields})


def asked(given: object = "hi", **fields: Any) -> ChatRequest:
    body = body_of(given, **fields)
    return chat_request(body, items_of(body.input or [], {}), Settings())


def turns(*items: dict[str, Any], **fields: Any) -> list[Message]:
    return list(asked(list(items), **fields).messages)


def said(role: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": text, **fields}


def called(call_id: str, name: str = "f", arguments: str = "{}") -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def returned(call_id: str, output: object = "ok") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def test_a_text_is_what_the_user_says() -> None:
    [turn] = asked("hi").messages
    assert (turn.role, turn.text) == (Role.USER, "hi")


def test_instructions_come_first_and_developers_are_the_system() -> None:
    found = turns(said("developer", "b"), said("user", "c"), instructions="a")
    assert [(turn.role, turn.text) for turn in found] == [(Role.SYSTEM, "a"), (Role.SYSTEM, "b"), (Role.USER, "c")]


def test_messages_need_no_type_and_may_have_parts() -> None:
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    answer = [{"type": "output_text", "text": "c", "annotations": []}, {"type": "refusal", "refusal": "d"}]
    found = turns({"role": "user", "content": parts}, {"role": "assistant", "content": answer})
    assert [(turn.role, turn.text) for turn in found] == [(Role.USER, "ab"), (Role.ASSISTANT, "cd")]


def test_a_thought_its_text_and_its_calls_are_one_turn() -> None:
    thought = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    user, spoken, first, second, *more = turns(
        said("user", "go"), thought, said("assistant", "I look."), called("1"), called("2", "g", '{"a":1}'),
        returned("1"), returned("2", [{"type": "input_text", "text": "x"}, {"type": "input_text", "text": "y"}]),
    )  # fmt: skip
    assert user.role is Role.USER
    assert (spoken.role, spoken.reasoning, spoken.text) == (Role.ASSISTANT, "hm", "I look.")
    assert spoken.tool_calls == (ToolCall("1", "f", "{}"), ToolCall("2", "g", '{"a":1}'))
    assert (first.role, first.tool_call_id, first.name, first.text) == (Role.TOOL, "1", "f", "ok")
    assert (second.tool_call_id, second.name, second.text) == ("2", "g", "xy")
    assert more == []


def test_what_follows_a_call_is_a_turn_of_its_own() -> None:
    found = turns(called("1"), said("assistant", "a"), said("assistant", "b"))
    assert [(turn.text, len(turn.tool_calls)) for turn in found] == [("", 1), ("a", 0), ("b", 0)]


def test_turns_of_a_longer_history_begin_with_those_of_a_shorter_one() -> None:
    history = [said("user", "go")]
    before: list[Message] = []
    for number in range(5):
        now = turns(*history)
        assert now[: len(before)] == before
        before = now
        thought = {"type": "reasoning", "summary": [], "encrypted_content": sealed(f"t{number}")}
        history += [thought, said("assistant", "."), called(f"{number}"), returned(f"{number}")]


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({"encrypted_content": sealed("hm é")}, "hm é"),
        ({"encrypted_content": "gAAAAB", "summary": [{"type": "summary_text", "text": "short"}]}, "short"),
        ({"encrypted_content": "local1.???", "summary": [{"type": "summary_text", "text": "short"}]}, "short"),
        ({"encrypted_content": sealed("a"), "content": [{"type": "reasoning_text", "text": "b"}]}, "b"),
        ({"encrypted_content": "gAAAAB"}, None),
    ],
)
def test_a_thought_comes_back_from_where_its_client_kept_it(fields: dict[str, Any], reasoning: str | None) -> None:
    [turn] = turns({"type": "reasoning", "summary": [], **fields}, said("assistant", "so"))
    assert (turn.reasoning, turn.text) == (reasoning, "so")


def test_a_sealed_thought_that_nothing_came_of_is_no_turn() -> None:
    found = turns(said("user", "a"), {"type": "reasoning", "encrypted_content": "gAAAAB"}, said("user", "b"))
    assert [turn.text for turn in found] == ["a", "b"]


def test_calls_of_custom_tools_are_replayed_as_the_model_wrote_them() -> None:
    call = {"type": "custom_tool_call", "call_id": "1", "name": "patch", "input": 'a "é"'}
    spoken, heard = turns(call, {"type": "custom_tool_call_output", "call_id": "1", "output": "done"})
    assert spoken.tool_calls == (ToolCall("1", "patch", '{"input": "a \\"é\\""}'),)
    assert (heard.role, heard.name, heard.text) == (Role.TOOL, "patch", "done")


def test_unknown_items_and_tools_are_left_out_with_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    secret = {"type": "a secret\nprompt"}
    request = asked(
        [said("user", "hi"), {"type": "web_search_call", "id": "ws_1", "status": "completed"}, secret],
        tools=[SEARCH, {"type": "namespace", "name": "x", "tools": []}, {"type": "local_shell"}, WEATHER],
    )
    assert [turn.text for turn in request.messages] == ["hi"]
    assert [tool.name for tool in request.tools] == ["weather"]
    assert "web_search_call" in caplog.text
    assert "local_shell, namespace, web_search" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ([said("user", "x"), {"role": "user", "content": [{"type": "input_image", "image_url": ""}]}],
         "input[1].content[0].image_url"),
        ([{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}], "input[0].content[0].file_id"),
        ([{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}], "input[0].content[0].file_id"),
        ([{"role": "user", "content": [{"type": "odd"}]}], "input[0].content[0].type"),
        ([{"role": "robot", "content": "x"}], "input[0].role"),
        ([{"role": "user"}], "input[0].content"),
        ([{"type": "function_call", "name": "f", "arguments": "{}"}], "input[0].call_id"),
        ([{"type": "function_call_output", "call_id": "1"}], "input[0].output"),
        ([returned("1", [{"type": "input_image"}])], "input[0].output[0].image_url"),
        ([{"type": "item_reference", "id": "msg_1"}], "input[0]"),
        ([], "input"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_name(given: object, param: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        asked(given)
    assert refusal.value.param == param


def test_tools_are_functions_and_free_text() -> None:
    weather, patch = asked(tools=[WEATHER, PATCH]).tools
    assert (weather.name, weather.description, weather.strict, weather.is_custom) == (
        "weather",
        "Tells it.",
        True,
        False,
    )
    assert weather.parameters == WEATHER["parameters"]
    assert (patch.name, patch.is_custom, patch.parameters) == ("patch", True, None)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, ToolChoice()),
        ("auto", ToolChoice()),
        ("none", ToolChoice(use=ToolUse.NONE)),
        ("required", ToolChoice(use=ToolUse.REQUIRED)),
        ({"type": "function", "name": "weather"}, ToolChoice(use=ToolUse.REQUIRED, names=("weather",), parallel=False)),
        ({"type": "custom", "name": "patch"}, ToolChoice(use=ToolUse.REQUIRED, names=("patch",), parallel=False)),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "weather"}]},
            ToolChoice(use=ToolUse.REQUIRED, names=("weather",)),
        ),
        ({"type": "allowed_tools", "mode": "auto", "tools": [SEARCH]}, ToolChoice(use=ToolUse.NONE)),
    ],
)
def test_the_choice_of_tools(choice: object, expected: ToolChoice) -> None:
    request = asked(tools=[WEATHER, PATCH, SEARCH], tool_choice=choice)
    assert request.tool_choice == expected
    assert len(request.tools) == 2


@pytest.mark.parametrize(
    "choice",
    [
        "sometimes",
        {"type": "web_search"},
        {"type": "function", "name": "patch"},
        {"type": "function", "name": "unknown"},
        {"type": "allowed_tools", "mode": "required", "tools": [SEARCH]},
    ],
)
def test_a_choice_that_cannot_be_honoured_is_refused(choice: object) -> None:
    with pytest.raises(BadRequest) as refusal:
        asked(tools=[WEATHER, PATCH, SEARCH], tool_choice=choice)
    assert str(refusal.value.param).startswith("tool_choice")


def test_a_call_cannot_be_required_of_nothing() -> None:
    grammar = PATCH | {"format": {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}}
    with pytest.raises(BadRequest):
        asked(tools=[SEARCH, grammar], tool_choice="required")


def test_one_call_at_a_time() -> None:
    assert asked(tools=[WEATHER], parallel_tool_calls=False).tool_choice == ToolChoice(parallel=False)


def test_forms_of_replies() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    named = {"type": "json_schema", "name": "thing", "schema": schema, "strict": True}
    constraint = asked(text={"format": named}).constraint
    assert constraint is not None
    assert (constraint.kind, constraint.param) == ("json_schema", "text.format")
    assert '"integer"' in constraint.text
    assert asked(text={"format": {"type": "json_object"}}).constraint is not None
    assert asked(text={"format": {"type": "text"}, "verbosity": "low"}).constraint is None
    assert asked(guided_regex="a+").constraint is not None
    for wrong in ({"type": "json_schema", "name": "x"}, {"type": "xml"}):
        with pytest.raises(BadRequest, match=r"text\.format"):
            asked(text={"format": wrong})


def test_reasoning_goes_to_the_template() -> None:
    assert asked(reasoning={"effort": "high"}).template_arguments["reasoning_effort"] == "high"
    none = asked(reasoning={"effort": "none"}).template_arguments
    assert none["enable_thinking"] is False
    assert "reasoning_effort" not in none
    assert "reasoning_effort" not in asked().template_arguments


def test_limits_samplers_and_truncation() -> None:
    request = asked(max_output_tokens=5, temperature=0.5, top_p=0.9, min_p=0.1, truncation="auto", stop=["x"])
    assert (request.limits.max_tokens, request.limits.stop) == (5, ("x",))
    assert (request.sampling.temperature, request.sampling.top_p, request.sampling.min_p) == (0.5, 0.9, 0.1)
    assert request.truncates
    assert not asked().truncates


@pytest.mark.parametrize(("field", "value"), [("prompt", {"id": "p"}), ("max_output_tokens", 0)])
def test_what_cannot_be_honoured_is_refused(field: str, value: object) -> None:
    with pytest.raises(BadRequest) as refusal:
        asked(**{field: value})
    assert refusal.value.param == field


@pytest.mark.parametrize(
    ("fields", "logprobs"),
    [({}, None), ({"top_logprobs": 3}, 3), ({"include": ["message.output_text.logprobs"]}, 0)],
)
def test_logprobs_are_asked_for_in_two_ways(fields: dict[str, Any], logprobs: int | None) -> None:
    assert asked(**fields).logprobs == logprobs
    assert presentation_of(body_of(**fields)).has_logprobs is (logprobs is not None)


def test_the_response_repeats_what_was_asked() -> None:
    body = body_of(
        instructions="be brief",
        tools=[WEATHER, PATCH, SEARCH],
        tool_choice={"type": "function", "name": "weather"},
        parallel_tool_calls=False,
        reasoning={"effort": "low", "summary": "auto"},
        max_output_tokens=9,
        temperature=0.25,
        metadata={"a": "b"},
        user="u",
        prompt_cache_key="k",
        safety_identifier="s",
        truncation="auto",
    )
    draft = draft_of(body, asked(tools=[WEATHER], temperature=0.25), "m").model_dump()
    assert draft["tools"] == [WEATHER, PATCH | {"format": {"type": "text"}}]
    assert draft["tool_choice"] == {"type": "function", "name": "weather"}
    assert draft["reasoning"] == {"effort": "low", "summary": "auto"}
    assert (draft["instructions"], draft["max_output_tokens"], draft["temperature"]) == ("be brief", 9, 0.25)
    assert (draft["metadata"], draft["user"], draft["truncation"]) == ({"a": "b"}, "u", "auto")
    assert (draft["prompt_cache_key"], draft["safety_identifier"]) == ("k", "s")
    assert draft["parallel_tool_calls"] is False
    assert presentation_of(body).summarizes
    assert presentation_of(body).custom_names == {"patch"}
