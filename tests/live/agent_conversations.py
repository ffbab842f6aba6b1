"""Conversations as coding agents hold them over HTTP, turn by turn, with what each client changes in what it sent before."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from tests.api.responses.codex import as_history, read_turn, request_of, user

RULES: Final = " ".join(f"Rule {number}: read file{number}.py before you change it." for number in range(60))
AGENT: Final = "You are a coding agent."
COUNTER: Final = "<total_tokens>{} tokens left</total_tokens>"
MAX_TOKENS: Final = 48
# A small model would call on and on.
ONE_CALL: Final = {"parallel_tool_calls": False}
# What OpenCode puts in the place of results that it takes back.
CLEARED: Final = "[Old tool result content cleared]"


@dataclass(frozen=True, slots=True)
class TurnUsage:
    """Tokens of one turn: of its prompt, those of it that came from the cache, and those of the reply."""

    prompt: int
    cached: int
    reply: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """A reply: its text, its call as name and arguments if it made one, and what it cost."""

    text: str
    call: tuple[str, str, str] | None
    usage: TurnUsage


def schema(*names: str) -> dict[str, Any]:
    texts = {name: {"type": "string", "maxLength": 12, "description": f"The {name}."} for name in names}
    return {"type": "object", "properties": texts, "required": list(names), "additionalProperties": False}


TOOLS: Final = {"read": schema("path"), "edit": schema("path", "text"), "run": schema("command")}


def tools_at(number: int) -> list[tuple[str, dict[str, Any]]]:
    """The tools, at each turn in another order, and their schemas with the keys in another one."""
    names = list(TOOLS)
    start = number % len(names)
    turned: Callable[[Any], Any] = _turned if number % 2 else lambda value: value
    return [(name, turned(TOOLS[name])) for name in (*names[start:], *names[:start])]


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _turned(each) for key, each in reversed(value.items())}
    return value


def result_of(number: int) -> str:
    return f"def test_{number}():\n    assert value_{number} == {number}\n"


def spelled_anew(arguments: str) -> str:
    """As JavaScript writes what it has read."""
    return json.dumps(json.loads(arguments), separators=(",", ":"), ensure_ascii=False)


class ClaudeCode:
    """/v1/messages: a billing line that changes, counters after results, and system messages within the conversation."""

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = [
            {"role": "user", "content": [{"type": "text", "text": "Fix the failing test."}]},
            {"role": "system", "content": "The following skills are available: none."},
        ]

    async def turn(self, http: httpx.AsyncClient, number: int) -> TurnUsage:
        headers = {"anthropic-version": "2023-06-01", "user-agent": "claude-cli/2.1.140 (external, cli)"}
        stream = (await http.post("/v1/messages?beta=true", json=self._body(number), headers=headers)).text
        blocks, usage = _blocks(stream)
        self._messages.append({"role": "assistant", "content": blocks})
        call = next((block for block in blocks if block["type"] == "tool_use"), None)
        if call is not None:
            answer: dict[str, Any] = {"type": "tool_result", "tool_use_id": call["id"], "content": result_of(number)}
            self._messages.append({"role": "user", "content": [answer]})
            self._messages.append({"role": "system", "content": COUNTER.format(14999436 - 431 * number)})
        else:
            self._messages.append({"role": "user", "content": [{"type": "text", "text": f"Go on, step {number}."}]})
        if number % 3 == 2:
            self._messages.append({"role": "system", "content": f"The user opened file{number}.py."})
        return usage

    def _body(self, number: int) -> dict[str, Any]:
        ephemeral = {"cache_control": {"type": "ephemeral"}}
        billing = f"x-anthropic-billing-header: cc_version=2.1.140.{number:03x}; cc_entrypoint=cli; cch={number:05x};"
        return {
            "model": "claude-sonnet-4-5",
            "max_tokens": MAX_TOKENS,
            "temperature": 0,
            "stream": True,
            "system": [
                {"type": "text", "text": billing},
                {"type": "text", "text": AGENT, **ephemeral},
                {"type": "text", "text": f"{RULES}\n\n{COUNTER.format(15000000 - 431 * number)}", **ephemeral},
            ],
            "tools": [{"name": name, "description": name, "input_schema": each} for name, each in tools_at(number)],
            "tool_choice": {"type": "any" if number % 2 else "auto", "disable_parallel_tool_use": True},
            "messages": self._messages,
            "metadata": {"user_id": f"session_{number}"},
            "thinking": {"type": "adaptive"},
        }


def _blocks(stream: str) -> tuple[list[dict[str, Any]], TurnUsage]:
    blocks: list[dict[str, Any]] = []
    inputs: list[str] = []
    usage: Mapping[str, int] = {}
    for event in _events(stream):
        match event:
            case {"type": "content_block_start", "content_block": block}:
                blocks.append({name: block[name] for name in ("type", "id", "name", "text") if name in block})
                inputs.append("")
            case {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}}:
                blocks[-1]["text"] += text
            case {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": text}}:
                inputs[-1] += text
            case {"type": "message_delta", "usage": found}:
                usage = found
    for block, text in zip(blocks, inputs, strict=True):
        if block["type"] == "tool_use":
            block["input"] = json.loads(text)
    cached = usage["cache_read_input_tokens"]
    return blocks, TurnUsage(usage["input_tokens"] + cached, cached, usage["output_tokens"])


def _events(stream: str) -> Iterator[dict[str, Any]]:
    lines = (line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: {"))
    return (json.loads(line) for line in lines)


class Codex:
    """/v1/responses: the whole history each time, or with `keeps` only what is new and the response to go on from."""

    def __init__(self, *, keeps: bool) -> None:
        self._keeps = keeps
        # So that none of them finds what the other has had read.
        self._name = "Codex with responses." if keeps else "Codex."
        self._input: list[dict[str, Any]] = [user("<environment_context><cwd>/src</cwd></environment_context>")]
        self._input.append(user("Fix the failing test."))
        self._previous: str | None = None

    async def turn(self, http: httpx.AsyncClient, number: int) -> TurnUsage:
        tools = [
            {"type": "function", "name": name, "description": name, "strict": False, "parameters": each}
            for name, each in tools_at(number)
        ]
        fields: dict[str, Any] = (
            {"store": True, "previous_response_id": self._previous} if self._keeps else {"store": False}
        )
        choice = "required" if number % 2 else "auto"
        fields |= {"tools": tools, "tool_choice": choice} | ONE_CALL
        body = request_of(*self._input, instructions=f"{self._name} {AGENT} {RULES}", **fields)
        stream = (
            await http.post("/v1/responses", json=body | {"max_output_tokens": MAX_TOKENS, "temperature": 0})
        ).text
        turn = read_turn(stream, allows_incomplete=True)
        self._previous = next(event["response"]["id"] for event in _events(stream) if "response" in event)
        call = next((item for item in turn.items if item["type"] == "function_call"), None)
        new = user(f"Go on, step {number}.")
        if call is not None:
            new = {"type": "function_call_output", "call_id": call["call_id"], "output": result_of(number)}
        self._input = [new] if self._keeps else [*self._input, *as_history(turn.items), new]
        return TurnUsage(turn.usage["input"], turn.usage["cached"], turn.usage["output"])


class Cline:
    """/v1/chat/completions: tools are described in the system prompt and called in text."""

    def __init__(self) -> None:
        system = f"{AGENT} Use <read_file><path>a.py</path></read_file> to read a file. {RULES}"
        self._messages: list[dict[str, Any]] = [{"role": "system", "content": system}]
        self._say("<task>\nFix the failing test.\n</task>", 0)

    def _say(self, text: str, number: int) -> None:
        details = f"<environment_details>\n# Current Time\n11/30/2026, 4:05:{number:02} PM\n</environment_details>"
        self._messages.append({"role": "user", "content": [_text(text), _text(details)]})

    async def turn(self, http: httpx.AsyncClient, number: int) -> TurnUsage:
        exchange = await _exchange(http, {"messages": self._messages})
        self._messages.append({"role": "assistant", "content": [_text(exchange.text.strip())]})
        self._say(f"[read_file for 'file{number}.py'] Result:\n{result_of(number)}", number + 1)
        return exchange.usage


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


class OpenCode:
    """/v1/chat/completions with tools; what it sends back is parsed and written again. After turn `clears` it takes the
    first result back."""

    def __init__(self, *, clears: int | None = None) -> None:
        self._clears = clears
        self._messages: list[dict[str, Any]] = [
            {"role": "system", "content": f"OpenCode {clears}. {AGENT} {RULES}\n"},
            {"role": "user", "content": "Fix the failing test."},
        ]

    async def turn(self, http: httpx.AsyncClient, number: int) -> TurnUsage:
        tools = [
            {"type": "function", "function": {"name": name, "description": name, "parameters": each}}
            for name, each in tools_at(number)
        ]
        choice = "required" if number % 2 == 0 else "auto"
        exchange = await _exchange(http, {"messages": self._messages, "tools": tools, "tool_choice": choice} | ONE_CALL)
        said: dict[str, Any] = {"role": "assistant", "content": exchange.text.strip()}
        new: dict[str, Any] = {"role": "user", "content": f"Go on, step {number}."}
        if exchange.call is not None:
            call_id, name, arguments = exchange.call
            function = {"name": name, "arguments": spelled_anew(arguments)}
            said["tool_calls"] = [{"id": call_id, "type": "function", "function": function}]
            new = {"role": "tool", "tool_call_id": call_id, "content": result_of(number)}
        self._messages += [said, new]
        if number == self._clears:
            first = next(message for message in self._messages if message["role"] == "tool")
            first["content"] = CLEARED
        return exchange.usage


async def _exchange(http: httpx.AsyncClient, fields: dict[str, Any]) -> Exchange:
    body = {"model": "any", "stream": True, "stream_options": {"include_usage": True}, "temperature": 0, **fields}
    stream = (await http.post("/v1/chat/completions", json=body | {"max_tokens": MAX_TOKENS})).text
    text, call, usage = "", ["", "", ""], TurnUsage(0, 0, 0)
    for chunk in _events(stream):
        if found := chunk.get("usage"):
            cached = found["prompt_tokens_details"]["cached_tokens"]
            usage = TurnUsage(found["prompt_tokens"], cached, found["completion_tokens"])
        for choice in chunk["choices"]:
            text += choice["delta"].get("content") or ""
            for piece in choice["delta"].get("tool_calls") or ():
                if piece["index"] == 0:
                    function = piece["function"]
                    call[0] += piece.get("id", "")
                    call[1] += function.get("name", "")
                    call[2] += function.get("arguments", "")
    return Exchange(text, (call[0], call[1], call[2]) if call[0] else None, usage)
