"""Items of tools that are not run here: what was done and what came of it stays in the prompt."""

from typing import Any

import pytest

from extensions.openai.common.items.inbound import items_of
from extensions.openai.responses.inbound import chat_request
from extensions.openai.responses.schema import CreateResponseRequest
from modules.errors import BadRequest
from modules.messages import ImagePart, Message, Part, Role, TextPart, ToolCall
from modules.settings.values import Settings
from tests.api.picture_parts import RED, url
from tests.api.responses.reading import RESPONSES
from tests.api.serving import Served

PICTURE = "data:image/png;base64," + "A" * 1000


def turns(*items: dict[str, Any]) -> tuple[Message, ...]:
    body = CreateResponseRequest.model_validate({"input": [*items, {"role": "user", "content": "go on"}]})
    *before, last = chat_request(body, items_of(body.input or [], {}), Settings()).messages
    assert last.text == "go on"
    return tuple(before)


@pytest.mark.parametrize(
    ("call", "output", "name", "arguments", "text"),
    [
        (
            {"type": "shell_call", "action": {"commands": ["ls", "pwd"], "timeout_ms": None}},
            {"type": "shell_call_output", "output": [
                {"stdout": "a\n", "stderr": "oh", "outcome": {"type": "exit", "exit_code": 2}},
                {"stdout": "b", "stderr": "", "outcome": {"type": "timeout"}},
            ]},
            "shell", '{"commands": ["ls", "pwd"]}', "a\noh\n(exit code 2)\nb\n(timed out)",
        ),
        (
            {"type": "local_shell_call", "id": "ls_1", "action": {"type": "exec", "command": ["ls"], "env": {}}},
            {"type": "local_shell_call_output", "id": "c1", "output": '{"output":"x"}'},
            "local_shell", '{"type": "exec", "command": ["ls"], "env": {}}', '{"output":"x"}',
        ),
        (
            {"type": "apply_patch_call", "operation": {"type": "update_file", "path": "a", "diff": "+é"}},
            {"type": "apply_patch_call_output", "status": "failed", "output": "no such file"},
            "apply_patch", '{"type": "update_file", "path": "a", "diff": "+é"}', "failed: no such file",
        ),
        (
            {"type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a"}, "status": "completed"},
            {"type": "apply_patch_call_output", "status": "completed"},
            "apply_patch", '{"type": "delete_file", "path": "a"}', "completed",
        ),
        (
            {"type": "tool_search_call", "arguments": {"query": "mail"}, "execution": "client"},
            {"type": "tool_search_output", "tools": [{"type": "function", "name": "send"}]},
            "tool_search", '{"query": "mail"}', "Tools found: send",
        ),
        (
            {"type": "program", "code": "run()"}, {"type": "program_output", "result": "7"},
            "program", '{"input": "run()"}', "7",
        ),
    ],
)  # fmt: skip
def test_a_call_and_its_output_are_what_they_were(
    call: dict[str, Any], output: dict[str, Any], name: str, arguments: str, text: str
) -> None:
    spoken, heard = turns({"call_id": "c1", **call}, {"call_id": "c1"} | output)
    assert (spoken.role, spoken.tool_calls) == (Role.ASSISTANT, (ToolCall("c1", name, arguments),))
    assert (heard.role, heard.tool_call_id, heard.name, heard.text) == (Role.TOOL, "c1", name, text)


CLICK: dict[str, Any] = {"type": "computer_call", "call_id": "c1", "action": {"type": "click", "x": 1, "y": 2}}
SHOT: dict[str, Any] = {"type": "computer_screenshot", "image_url": PICTURE}


@pytest.mark.parametrize(
    ("output", "parts"),
    [
        (SHOT, (ImagePart(PICTURE),)),
        ({"type": "input_image", "image_url": PICTURE, "detail": "low"}, (ImagePart(PICTURE, "low"),)),
        ([SHOT, {"type": "input_text", "text": "done"}], (TextPart("done"), ImagePart(PICTURE))),
        ({**SHOT, "current_url": "https://a.example"},
         (TextPart('{"current_url": "https://a.example"}'), ImagePart(PICTURE))),
        ({"type": "computer_screenshot", "image_url": ""}, (TextPart(""),)),
        ({"type": "computer_screenshot", "file_id": None}, (TextPart(""),)),
    ],
)  # fmt: skip
def test_a_screenshot_is_a_picture(output: object, parts: tuple[Part, ...]) -> None:
    spoken, heard = turns(CLICK, {"type": "computer_call_output", "call_id": "c1", "output": output})
    assert spoken.tool_calls == (ToolCall("c1", "computer", '{"type": "click", "x": 1, "y": 2}'),)
    assert (heard.role, heard.tool_call_id, heard.name, heard.parts) == (Role.TOOL, "c1", "computer", parts)


def test_a_screenshot_without_its_call_is_shown_by_the_user() -> None:
    [heard] = turns({"type": "computer_call_output", "call_id": "c1", "output": SHOT})
    assert (heard.role, heard.parts) == (Role.USER, (TextPart("[computer_call]"), ImagePart(PICTURE)))


def test_a_screenshot_that_lies_elsewhere_is_refused() -> None:
    shot = {"type": "computer_screenshot", "file_id": "file-1"}
    with pytest.raises(BadRequest) as refused:
        turns(CLICK, {"type": "computer_call_output", "call_id": "c1", "output": shot})
    assert refused.value.param == "input[1].output.file_id"


async def test_a_screenshot_is_seen_and_kept_as_it_was_sent(api: Served) -> None:
    shot = {"type": "computer_screenshot", "image_url": url(RED)}
    output = {"type": "computer_call_output", "id": "o", "call_id": "c1", "output": shot}
    body = {"input": [CLICK | {"id": "cc"}, output, {"role": "user", "content": "count 1"}]}
    first = (await api.post(RESPONSES, body)).json()
    assert first["usage"]["input_tokens_details"]["image_tokens"] > 0
    later = (await api.post(RESPONSES, {"input": "count 1", "previous_response_id": first["id"]})).json()
    assert later["usage"]["input_tokens_details"]["image_tokens"] > 0
    listed = await api.http.get(f"{RESPONSES}/{first['id']}/input_items?order=asc")
    assert listed.json()["data"][1] == output


def test_an_output_without_its_call_is_what_the_user_passed_on() -> None:
    chunks = [{"stdout": "ok", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]
    [heard] = turns({"type": "shell_call_output", "call_id": "c1", "output": chunks})
    assert (heard.role, heard.text) == (Role.USER, "[shell_call: ok]")


@pytest.mark.parametrize(
    ("item", "name", "arguments", "text"),
    [
        (
            {"type": "mcp_call", "name": "add", "server_label": "s", "arguments": '{"a": 1}', "output": "2", "error": None},
            "add", '{"a": 1}', "2",
        ),
        ({"type": "mcp_call", "name": "add", "arguments": "{}", "error": "down"}, "add", "{}", "down"),
        (
            {"type": "file_search_call", "queries": ["q"], "results": [{"filename": "f", "text": "found"}]},
            "file_search", '{"input": ["q"]}', "found",
        ),
        (
            {"type": "code_interpreter_call", "code": "1+1", "outputs": [{"type": "logs", "logs": "2"}]},
            "code_interpreter", '{"input": "1+1"}', '[{"type": "logs", "logs": "2"}]',
        ),
    ],
)  # fmt: skip
def test_a_call_that_holds_its_output_is_both(item: dict[str, Any], name: str, arguments: str, text: str) -> None:
    spoken, heard = turns({"id": "x1", **item})
    assert spoken.tool_calls == (ToolCall("x1", name, arguments),)
    assert (heard.role, heard.name, heard.text) == (Role.TOOL, name, text)


@pytest.mark.parametrize(
    ("item", "role", "text"),
    [
        ({"type": "web_search_call", "action": {"type": "search", "query": "q"}}, Role.ASSISTANT, '"query": "q"'),
        ({"type": "image_generation_call", "revised_prompt": "a cat", "result": "A" * 99}, Role.ASSISTANT, "a cat"),
        ({"type": "mcp_approval_request", "name": "rm", "arguments": "{}"}, Role.ASSISTANT, '"name": "rm"'),
        ({"type": "mcp_approval_response", "approve": True, "reason": "yes"}, Role.USER, '"approve": true'),
        ({"type": "mcp_list_tools", "tools": [{"name": "add"}]}, Role.SYSTEM, '"name": "add"'),
        ({"type": "agent_note", "role": "developer", "content": [{"type": "x", "text": "note"}]}, Role.SYSTEM, "note"),
        ({"type": "novelty", "words": "new"}, Role.USER, '"words": "new"'),
        ({"type": "novelty_call", "words": "new"}, Role.ASSISTANT, '"words": "new"'),
    ],
)
def test_other_items_are_read_as_text(item: dict[str, Any], role: Role, text: str) -> None:
    [turn] = turns(item)
    assert turn.role is role
    assert text in turn.text


@pytest.mark.parametrize(
    "item",
    [
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "compaction", "encrypted_content": "x"},
        {"type": "compaction_trigger"},
        {"type": "configuration_update", "reasoning": {"effort": "low"}},
        {"type": "novelty", "id": "n", "status": "completed"},
        {"type": "image_generation_call", "result": PICTURE},
        {"type": "computer_call_output", "call_id": "c", "output": None},
    ],
)
def test_what_says_nothing_is_no_turn(item: dict[str, Any]) -> None:
    assert turns(item) == ()


async def test_they_are_kept_and_listed_as_they_were_sent(api: Served) -> None:
    shell = {"type": "shell_call", "id": "sh_1", "call_id": "c", "action": {"commands": ["ls"]}, "status": "completed"}
    output = {"type": "shell_call_output", "id": "sho_1", "call_id": "c", "output": [{"stdout": "ok", "stderr": ""}]}
    first = await api.post(RESPONSES, {"input": [shell, output, {"role": "user", "content": "echo: a"}]})
    assert first.status_code == 200, first.text
    again = await api.post(RESPONSES, {"input": "echo: b", "previous_response_id": first.json()["id"]})
    listed = await api.http.get(f"{RESPONSES}/{again.json()['id']}/input_items?order=asc")
    assert listed.json()["data"][:2] == [shell, output]
