"""Strict checks of answers against the types that Anthropic's client ships: every field there is, and no other."""

import json
from typing import Any, Final

import orjson
from anthropic.types import (
    Message,
    RawContentBlockDeltaEvent,
    RawContentBlockStartEvent,
    RawContentBlockStopEvent,
    RawMessageDeltaEvent,
    RawMessageStartEvent,
    RawMessageStopEvent,
)
from anthropic.types.beta import BetaMessage
from pydantic import BaseModel, TypeAdapter

from tests.api.strictness import strict

# Belong to tools that run in the provider's own sandboxes, and to sources, which clients take as a list or not at all.
LEFT_OUT: Final = frozenset({"ToolUseBlock.toolset_name", "TextBlock.citations"})
Event = (
    RawMessageStartEvent
    | RawMessageDeltaEvent
    | RawMessageStopEvent
    | RawContentBlockStartEvent
    | RawContentBlockDeltaEvent
    | RawContentBlockStopEvent
)
_EVENTS: Final[dict[str, type[BaseModel]]] = {
    "message_start": RawMessageStartEvent,
    "message_delta": RawMessageDeltaEvent,
    "message_stop": RawMessageStopEvent,
    "content_block_start": RawContentBlockStartEvent,
    "content_block_delta": RawContentBlockDeltaEvent,
    "content_block_stop": RawContentBlockStopEvent,
}


def strict_message(body: object) -> Message:
    message = strict(Message, body, extras=())
    assert missing_fields(message) <= LEFT_OUT
    TypeAdapter(BetaMessage).validate_json(orjson.dumps(body), strict=True)
    return message


def named_events(stream: str) -> list[tuple[str, dict[str, Any]]]:
    """Name and data of each event; comments are passed over. Raises for a frame of another form."""
    frames = [frame for frame in stream.split("\n\n") if frame and not frame.startswith(":")]
    events = []
    for frame in frames:
        name, data = frame.split("\n")
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return events


def strict_events(stream: str) -> list[Any]:
    """Every event but pings, each of the type that its name says."""
    events = []
    for name, data in named_events(stream):
        assert data["type"] == name
        if name != "ping":
            event = strict(_EVENTS[name], data, extras=())
            assert missing_fields(event) <= LEFT_OUT
            events.append(event)
    return events


def strict_error(body: dict[str, Any]) -> tuple[str, str]:
    """Type and message of Anthropic's error object."""
    assert body.keys() == {"type", "error", "request_id"}
    assert body["type"] == "error"
    assert body["error"].keys() == {"type", "message"}
    assert body["request_id"].startswith("req_")
    return body["error"]["type"], body["error"]["message"]


def missing_fields(value: object) -> set[str]:
    if isinstance(value, list):
        return {name for item in value for name in missing_fields(item)}
    if not isinstance(value, BaseModel):
        return set()
    name = type(value).__name__
    missing = {f"{name}.{field}" for field in type(value).model_fields if field not in value.model_fields_set}
    return missing | {each for field in type(value).model_fields for each in missing_fields(getattr(value, field))}
