"""Our events → the events of a streamed message. Pure."""

from typing import Any, Final

import orjson

from extensions.openai.messages.blocks import BlockBuilder, Closed, Grown, Kind, Opened, Step
from extensions.openai.messages.outbound import CALLER, message_of, stop_of, usage_of
from extensions.openai.messages.signature import SIGNATURE, carrying_signature
from modules.engine.types import Usage
from modules.events import Done, Event, Progress, Started

_PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'
_DELTA_USAGE: Final = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
)
_DELTAS: Final = (
    (Kind.TEXT, "text_delta", "text"),
    (Kind.THINKING, "thinking_delta", "thinking"),
    (Kind.TOOL_USE, "input_json_delta", "partial_json"),
)


class MessageStream:
    """The events of one streamed answer, each with its name.

    message_start waits for what comes after Started: only then it is known how much of the prompt was cached, and many
    clients read that nowhere else.
    """

    def __init__(self, *, stop_sequences: tuple[str, ...], omits_thinking: bool) -> None:
        self._stop_sequences = stop_sequences
        self._omits_thinking = omits_thinking
        self._builder = BlockBuilder()
        self._started: Started | None = None
        self._thought: list[str] = []
        self._heads = {kind: _delta_head(delta, field) for kind, delta, field in _DELTAS}

    def encode(self, event: Event) -> bytes:
        if isinstance(event, Started):
            self._started = event
            return b""
        said = b"".join(self._frame(step) for step in self._builder.steps(event))
        if isinstance(event, Done):
            said += self._last(event)
        if self._started is not None:
            said = _first(self._started, event) + said
            self._started = None
        return said

    def end(self) -> bytes:
        return b""

    def _frame(self, step: Step) -> bytes:
        match step:
            case Grown(kind=Kind.THINKING) if self._omits_thinking:
                self._thought.append(step.text)
                return b""
            case Grown():
                return self._heads[step.kind] % step.index + orjson.dumps(step.text) + b"}}\n\n"
            case Opened():
                return _named({"type": "content_block_start", "index": step.index, "content_block": _empty(step)})
        return self._signature(step) + _named({"type": "content_block_stop", "index": step.index})

    def _signature(self, closed: Closed) -> bytes:
        if closed.kind is not Kind.THINKING:
            return b""
        signature = carrying_signature("".join(self._thought)) if self._omits_thinking else SIGNATURE
        self._thought.clear()
        delta = {"type": "signature_delta", "signature": signature}
        return _named({"type": "content_block_delta", "index": closed.index, "delta": delta})

    def _last(self, done: Done) -> bytes:
        stop_reason, stop_sequence = stop_of(done, self._stop_sequences)
        delta = {
            "stop_reason": stop_reason,
            "stop_sequence": stop_sequence,
            "stop_details": None,
            "container": None,
        }
        usage = usage_of(done.usage).model_dump(include=set(_DELTA_USAGE))
        return _named({"type": "message_delta", "delta": delta, "usage": usage}) + _named({"type": "message_stop"})


def _first(started: Started, event: Event) -> bytes:
    cached = event.prompt.cached if isinstance(event, Progress) else 0
    if isinstance(event, Done):
        cached = event.usage.cached_tokens
    message = message_of(started.model, [], Usage(prompt_tokens=started.prompt_tokens, cached_tokens=cached))
    return _named({"type": "message_start", "message": message.model_dump()}) + _PING


def _empty(opened: Opened) -> dict[str, Any]:
    """A block before its first piece."""
    match opened.kind:
        case Kind.TEXT:
            return {"type": "text", "text": ""}
        case Kind.THINKING:
            return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "tool_use", "id": opened.id, "name": opened.name, "input": {}, "caller": CALLER.model_dump()}


def _named(body: dict[str, Any]) -> bytes:
    name = str(body["type"])
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(body) + b"\n\n"


def _delta_head(delta: str, field: str) -> bytes:
    """The bytes before a piece of text, with a place for the block's index."""
    body = '{"type":"content_block_delta","index":%d,"delta":{"type":"' + delta + '","' + field + '":'
    return b"event: content_block_delta\ndata: " + body.encode()
