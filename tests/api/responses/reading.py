"""Answers and streams of /v1/responses, read as strictly as the official client's types allow."""

import json
from typing import Any, Final, get_args

from openai.types.conversations import ConversationItemList
from openai.types.responses import Response, ResponseItemList, ResponseStreamEvent
from pydantic import BaseModel

from tests.api.strictness import strict

RESPONSES: Final = "/v1/responses"
EVENT_TYPES: Final[dict[str, type[BaseModel]]] = {
    get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(get_args(ResponseStreamEvent)[0])
}


def strict_response(body: dict[str, Any]) -> Response:
    """A whole response. The one code that agents need and the types do not list is taken for one that they do."""
    if (body["error"] or {}).get("code") == "context_length_exceeded":
        body = {**body, "error": {**body["error"], "code": "server_error"}}
    return strict(Response, body, extras=())


def strict_items(body: dict[str, Any]) -> list[dict[str, Any]]:
    strict(ResponseItemList, body, extras=())
    return list(body["data"])


def strict_conversation_items(body: dict[str, Any]) -> list[dict[str, Any]]:
    strict(ConversationItemList, body, extras=())
    return list(body["data"])


def events_of(stream: str) -> list[dict[str, Any]]:
    """The data of every event, each checked: its name, its number, its type in the official client."""
    events = []
    for block in stream.split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        if not lines:
            continue
        name, data = lines
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return [strict_event(event) for event in events]


def strict_event(event: dict[str, Any]) -> dict[str, Any]:
    checked = event
    if "response" in event:
        strict_response(event["response"])
        if event["response"]["error"]:
            checked = {**event, "response": {**event["response"], "error": None}}
    strict(EVENT_TYPES[event["type"]], checked, extras=())
    return event


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """The types of the events without the common beginning, one of several equal ones in a row."""
    names = [event["type"].removeprefix("response.") for event in events]
    return [name for number, name in enumerate(names) if number == 0 or names[number - 1] != name]


def assert_numbered(events: list[dict[str, Any]], first: int = 0) -> None:
    assert [event["sequence_number"] for event in events] == list(range(first, first + len(events)))
