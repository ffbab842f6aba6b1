"""What Claude Code sends, turn after turn, and Anthropic's own client, on a real model."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio
from anthropic import Anthropic
from anthropic.types import Message, ToolUseBlock
from jsonschema import Draft202012Validator

from tests.api.messages.strictness import strict_events
from tests.live.server import LiveServer, live_server
from tests.model_files import QWEN

pytestmark = [pytest.mark.live, pytest.mark.model]

TURNS: Final = 10
HEADERS: Final = {
    "x-api-key": "any",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
    "user-agent": "claude-cli/2.1.40 (external, cli)",
}
EPHEMERAL: Final = {"cache_control": {"type": "ephemeral"}}
RULES: Final = " ".join(f"Rule {number}: read file{number}.py before you change it." for number in range(60))
PATH: Final = {
    "type": "object",
    "properties": {"file_path": {"type": "string", "maxLength": 30, "description": "Where the file is."}},
    "required": ["file_path"],
    "additionalProperties": False,
}
TOOLS: Final[list[dict[str, Any]]] = [
    {"name": "Read", "description": "Reads a file from the local filesystem.", "input_schema": PATH},
    {"name": "Delete", "description": "Deletes a file.", "input_schema": PATH, **EPHEMERAL},
    {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    async with live_server(tmp_path_factory.mktemp("server"), "--model", QWEN) as running:
        yield running


@pytest.fixture
def claude(server: LiveServer) -> Iterator[Anthropic]:
    with Anthropic(base_url=server.url, api_key="any", max_retries=0) as client:
        yield client


def turn_of(history: list[dict[str, Any]], number: int) -> dict[str, Any]:
    """One request: the line about billing is another one each time, and the cache's mark moves to the last block."""
    billing = f"x-anthropic-billing-header: cc_version=2.1.40.{number:03x}; cc_entrypoint=cli; cch={number * 7919:05x};"
    *earlier, last = history
    *blocks, newest = last["content"]
    return {
        "model": "claude-sonnet-4-5",
        "max_tokens": 16,
        "temperature": 0,
        "stream": True,
        "system": [
            {"type": "text", "text": billing},
            {"type": "text", "text": "You are a coding agent.", **EPHEMERAL},
            {"type": "text", "text": RULES, **EPHEMERAL},
        ],
        "tools": TOOLS,
        "messages": [*earlier, {"role": "user", "content": [*blocks, newest | EPHEMERAL]}],
        "metadata": {"user_id": f"session_{number}"},
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    }


def tool_use(number: int) -> dict[str, Any]:
    """A call that the assistant makes beside whatever it said."""
    name = f"file{number}.py"
    return {"type": "tool_use", "id": f"toolu_{number}", "name": "Read", "input": {"file_path": name}}


def tool_result(number: int) -> dict[str, Any]:
    content = [{"type": "text", "text": f"def test_{number}(): pass"}]
    block = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": content, "is_error": number % 3 == 1}
    return {"role": "user", "content": [block, {"type": "text", "text": "<system-reminder>Go on.</system-reminder>"}]}


@pytest.mark.extended
async def test_every_turn_but_the_first_is_mostly_cached(http: httpx.AsyncClient) -> None:
    history = [{"role": "user", "content": [{"type": "text", "text": "Fix the failing test."}]}]
    shares = []
    for number in range(TURNS):
        body = turn_of(history, number)
        events = strict_events((await http.post("/v1/messages?beta=true", json=body, headers=HEADERS)).text)
        usage = events[0].message.usage
        read = usage.cache_read_input_tokens
        shares.append(read / (read + usage.input_tokens + usage.cache_creation_input_tokens))
        assert events[-2].usage.cache_read_input_tokens == read
        said = "".join(
            event.delta.text for event in events if getattr(event, "delta", None) and hasattr(event.delta, "text")
        )
        blocks = [{"type": "text", "text": said}] if said else []
        history += [{"role": "assistant", "content": [*blocks, tool_use(number)]}, tool_result(number)]
    assert min(shares[1:]) >= 0.9, shares


async def test_a_count_is_that_of_the_prompt(http: httpx.AsyncClient) -> None:
    body = turn_of([{"role": "user", "content": [{"type": "text", "text": "Hi <|im_end|> there"}]}], 1)
    body["system"][-1]["text"] = RULES[:500]
    fields = {name: body[name] for name in ("system", "messages", "tools")}
    counted = (await http.post("/v1/messages/count_tokens?beta=true", json=fields, headers=HEADERS)).json()
    usage = (await http.post("/v1/messages", json=body | {"stream": False})).json()["usage"]
    assert counted["input_tokens"] == usage["input_tokens"] + usage["cache_read_input_tokens"]


def reply(claude: Anthropic, words: str, *, streams: bool, **fields: Any) -> Message:
    body: dict[str, Any] = {"model": "m", "max_tokens": 200, "messages": [{"role": "user", "content": words}], **fields}
    if not streams:
        whole: Message = claude.messages.create(**body)
        return whole
    with claude.messages.stream(**body) as stream:
        return stream.get_final_message()


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "Delete"}], ids=["any", "tool"])
def test_calls_that_are_asked_for_are_made(claude: Anthropic, choice: dict[str, Any], streams: bool) -> None:
    message = reply(
        claude,
        "Tell me a joke.",
        streams=streams,
        tools=TOOLS,
        tool_choice={**choice, "disable_parallel_tool_use": True},
        extra_body={"temperature": 1, "seed": 3},
    )
    assert message.stop_reason == "tool_use"
    [call] = [block for block in message.content if isinstance(block, ToolUseBlock)]
    assert call.name in ({"Delete"} if choice["type"] == "tool" else {"Read", "Delete"})
    Draft202012Validator(PATH).validate(call.input)


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_a_form_is_kept(claude: Anthropic, streams: bool) -> None:
    form = {"format": {"type": "json_schema", "schema": PATH}}
    message = reply(claude, "Name a file, as JSON.", streams=streams, output_config=form, extra_body={"seed": 3})
    [block] = message.content
    assert block.type == "text"
    Draft202012Validator(PATH).validate(json.loads(block.text))


def test_a_result_is_read(claude: Anthropic) -> None:
    call = tool_use(1)
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "The secret word is: walrus"}
    turns = [
        {"role": "user", "content": "What is the secret word in file1.py?"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    switches = {"thinking": {"type": "disabled"}, "extra_body": {"temperature": 0}}
    message = reply(claude, "", streams=False, messages=turns, max_tokens=60, **switches)
    assert "walrus" in "".join(block.text for block in message.content if block.type == "text").lower()
