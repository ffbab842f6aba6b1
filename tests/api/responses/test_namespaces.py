"""Tools in namespaces, as Codex offers those of MCP servers: offered, called, replayed."""

from typing import Any

import pytest

from extensions.openai.common.items.inbound import items_of
from extensions.openai.responses.inbound import chat_request, tools_of
from extensions.openai.responses.schema import CreateResponseRequest
from modules.errors import BadRequest
from modules.messages import Role, ToolCall, ToolUse
from modules.requests import ChatRequest
from modules.settings.values import Settings
from tests.api.responses.reading import RESPONSES, events_of, strict_response
from tests.api.serving import Served

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
ADD: dict[str, Any] = {"type": "function", "name": "add", "description": "Adds", "strict": False, "parameters": SCHEMA}
MINI: dict[str, Any] = {"type": "namespace", "name": "mcp__mini", "description": "The mini server", "tools": [ADD]}
FLAT = {"type": "function", "name": "add", "parameters": SCHEMA}


def asked(given: object = "hi", **fields: Any) -> ChatRequest:
    body = CreateResponseRequest.model_validate({"input": given, **fields})
    return chat_request(body, items_of(body.input or [], {}), Settings())


def names(**fields: Any) -> list[str]:
    return [tool.name for tool in asked(**fields).tools]


def test_the_tools_of_a_namespace_are_offered_under_names_of_their_own() -> None:
    tools = asked(tools=[MINI, FLAT]).tools
    assert [(tool.name, tool.description, tool.parameters) for tool in tools] == [
        ("mcp__mini__add", "Adds", SCHEMA),
        ("add", "", SCHEMA),
    ]
    assert names(tools=[{**MINI, "name": "mcp__mini__"}]) == ["mcp__mini__add"]
    assert names(tools=[{**MINI, "tools": [ADD, {"type": "custom", "name": "note"}, {"type": "web_search"}]}]) == [
        "mcp__mini__add",
        "mcp__mini__note",
    ]
    assert names(tools=[{**MINI, "tools": []}, {**MINI, "tools": None}, ADD]) == ["add"]
    assert (
        asked(tools=[{**MINI, "tools": [{"type": "function", "name": "f"}]}]).tools[0].description == "The mini server"
    )


def test_the_first_of_two_of_one_name_counts() -> None:
    assert names(tools=[{**FLAT, "name": "mcp__mini__add"}, MINI]) == ["mcp__mini__add"]


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "name": "add", "namespace": "mcp__mini"},
        {"type": "function", "name": "mcp__mini__add"},
        {"type": "function", "name": "add"},
    ],
)
def test_one_of_them_can_be_chosen(choice: dict[str, Any]) -> None:
    asked_for = asked(tools=[MINI], tool_choice=choice).tool_choice
    assert (asked_for.use, asked_for.names) == (ToolUse.REQUIRED, ("mcp__mini__add",))


def test_a_name_alone_means_the_tool_outside_first() -> None:
    assert asked(tools=[MINI, FLAT], tool_choice={"type": "function", "name": "add"}).tool_choice.names == ("add",)
    with pytest.raises(BadRequest):
        asked(tools=[FLAT], tool_choice={"type": "function", "name": "add", "namespace": "mcp__mini"})


def test_a_whole_namespace_can_be_allowed() -> None:
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "namespace", "name": "mcp__mini"}]}
    assert asked(tools=[MINI, FLAT], tool_choice=allowed).tool_choice.names == ("mcp__mini__add",)


def test_a_call_that_is_replayed_is_of_the_same_tool() -> None:
    call = {"type": "function_call", "call_id": "1", "name": "add", "namespace": "mcp__mini", "arguments": '{"a": 1}'}
    spoken, heard = asked([call, {"type": "function_call_output", "call_id": "1", "output": "2"}]).messages
    assert spoken.tool_calls == (ToolCall("1", "mcp__mini__add", '{"a": 1}'),)
    assert (heard.role, heard.name, heard.text) == (Role.TOOL, "mcp__mini__add", "2")


@pytest.mark.parametrize("item", ["additional_tools", "tool_search_output"])
def test_tools_that_the_input_adds_can_be_called(item: str) -> None:
    added = {"type": item, "role": "developer", "tools": [MINI, FLAT]}
    request = asked([added, {"role": "user", "content": "go"}], tools=[ADD], tool_choice="required")
    assert [tool.name for tool in request.tools] == ["add", "mcp__mini__add"]


def test_the_response_repeats_it_and_names_what_is_left_out() -> None:
    body = CreateResponseRequest.model_validate({"input": "x", "tools": [{"type": "web_search"}, MINI]})
    toolbox = tools_of(body)
    assert toolbox.shown == [MINI]
    assert toolbox.left_out == ("tools[0].web_search",)


async def test_a_call_comes_back_by_name_and_namespace(api: Served) -> None:
    body = {"input": "count 3", "tools": [MINI], "tool_choice": "required", "max_output_tokens": 200}
    whole = (await api.post(RESPONSES, body)).json()
    [call] = [item for item in whole["output"] if item["type"] == "function_call"]
    assert (call["name"], call["namespace"]) == ("add", "mcp__mini")
    strict_response(whole)
    events = events_of((await api.post(RESPONSES, {**body, "stream": True})).text)
    shown = [event["item"] for event in events if "item" in event and event["item"]["type"] == "function_call"]
    assert {(item["name"], item["namespace"]) for item in shown} == {("add", "mcp__mini")}
    plain = (await api.post(RESPONSES, {**body, "tools": [FLAT]})).json()
    assert "namespace" not in plain["output"][0]
    stored = await api.post(RESPONSES, {"input": "echo: ok", "previous_response_id": whole["id"]})
    assert stored.status_code == 200
    listed = (await api.http.get(f"{RESPONSES}/{stored.json()['id']}/input_items")).json()["data"]
    assert ("add", "mcp__mini") in [(item.get("name"), item.get("namespace")) for item in listed]
