"""What Codex sends, and a reader of streams with the rules of its own (codex-rs, codex-api/src/sse/responses.rs)."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

TOOLS: Final[list[dict[str, Any]]] = [
    {
        "type": "function",
        "name": "shell",
        "description": "Runs a command.",
        "strict": False,
        "parameters": {"type": "object", "properties": {"command": {"type": "array", "items": {"type": "string"}}}},
    },
    {
        "type": "custom",
        "name": "apply_patch",
        "description": "Edits files.",
        "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "x"'},
    },
    {"type": "web_search", "external_web_access": False},
    {"type": "local_shell"},
    {"type": "image_generation", "output_format": "png"},
    {"type": "namespace", "name": "mcp", "description": "More.", "tools": [{"type": "function", "name": "f"}]},
]


def request_of(*items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The body of a turn, with everything that Codex sets."""
    return {
        "model": "gpt-5-codex",
        "instructions": "You are a coding agent.",
        "input": list(items),
        "tools": TOOLS,
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "service_tier": None,
        "prompt_cache_key": "0199",
        "text": {"verbosity": "medium"},
        "client_metadata": {"x-codex-installation-id": "1"},
        **fields,
    }


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


class ContextWindowExceeded(Exception):
    """After this Codex shortens its history and asks again."""


class StreamBroken(Exception):
    """After this Codex asks again, and then gives up."""


@dataclass
class Turn:
    """What Codex takes from one stream: `items` become part of its history as they are."""

    items: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""
    usage: dict[str, int] = field(default_factory=dict)


def read_turn(stream: str, *, allows_incomplete: bool = False) -> Turn:
    """Raises ContextWindowExceeded and StreamBroken. Codex takes a reply that was cut for a broken one, tests need not."""
    turn = Turn()
    has_begun, is_complete = False, False
    failure: Exception | None = None
    for block in stream.split("\n\n"):
        data = "".join(line.removeprefix("data: ") for line in block.split("\n") if line.startswith("data: "))
        if not data:
            continue
        event = json.loads(data)
        match event["type"]:
            case "response.created":
                has_begun = "response" in event
            case "response.output_text.delta":
                turn.text += event["delta"]
            case "response.output_item.done":
                turn.items.append(_complete(event["item"]))
            case "response.failed":
                code = event["response"]["error"]["code"]
                failure = ContextWindowExceeded() if code == "context_length_exceeded" else StreamBroken(code)
            case "response.completed" | "response.incomplete" if allows_incomplete or "completed" in event["type"]:
                is_complete = isinstance(event["response"]["id"], str)
                turn.usage = _usage(event["response"]["usage"])
    if failure is not None:
        raise failure
    if not (has_begun and is_complete):
        raise StreamBroken("stream closed before response.completed")
    return turn


def as_history(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What Codex sends back of them: without status, and of a thought what is sealed."""
    kept = []
    for item in items:
        dropped = {"status", "content"} if item["type"] == "reasoning" else {"status", "id"}
        kept.append({name: value for name, value in item.items() if name not in dropped})
    return kept


def _complete(item: dict[str, Any]) -> dict[str, Any]:
    needed = {
        "message": ("role", "content"),
        "function_call": ("call_id", "name", "arguments"),
        "custom_tool_call": ("call_id", "name", "input"),
        "reasoning": ("id", "summary"),
    }[item["type"]]
    assert all(name in item for name in needed)
    return item


def _usage(usage: dict[str, Any]) -> dict[str, int]:
    found = {
        "input": usage["input_tokens"],
        "cached": usage["input_tokens_details"]["cached_tokens"],
        "output": usage["output_tokens"],
        "reasoning": usage["output_tokens_details"]["reasoning_tokens"],
        "total": usage["total_tokens"],
    }
    assert all(type(value) is int for value in found.values())
    return found
