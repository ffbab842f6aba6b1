"""Our events → the answer of a request for a message: one body, or the events of a stream. Pure."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import orjson
from pydantic_core import from_json

from extensions.openai.messages.blocks import BlockBuilder, Closed, Grown, Kind, Opened, Step
from extensions.openai.messages.schema import (
    DirectCaller,
    MessageReply,
    MessageUsage,
    OutputTokensDetails,
    ReplyBlock,
    StopReason,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)
from extensions.openai.messages.signature import SIGNATURE, carrying_signature
from modules.engine.types import Usage
from modules.events import Done, Event, FinishReason, Progress, Started

_CALLER: Final = DirectCaller(type="direct")
_PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'
_DELTAS: Final = (
    (Kind.TEXT, "text_delta", "text"),
    (Kind.THINKING, "thinking_delta", "thinking"),
    (Kind.TOOL_USE, "input_json_delta", "partial_json"),
)


def stop_of(done: Done, stop_sequences: tuple[str, ...]) -> tuple[StopReason, str | None]:
    """Why the reply ended, and by which of the request's own stop sequences."""
    if done.reason is FinishReason.TOOL_CALLS:
        return "tool_use", None
    if done.reason is FinishReason.LENGTH:
        return "max_tokens", None
    if isinstance(done.stop_reason, str) and done.stop_reason in stop_sequences:
        return "stop_sequence", done.stop_reason
    return "end_turn", None


def usage_of(usage: Usage) -> MessageUsage:
    return MessageUsage(
        input_tokens=usage.prompt_tokens - usage.cached_tokens,
        cache_creation_input_tokens=0,
        cache_read_input_tokens=usage.cached_tokens,
        output_tokens=usage.completion_tokens,
        output_tokens_details=OutputTokensDetails(thinking_tokens=usage.reasoning_tokens),
    )


async def whole_message(
    events: AsyncGenerator[Event, None], *, stop_sequences: tuple[str, ...], omits_thinking: bool
) -> MessageReply:
    """Reads `events` to the end and closes it."""
    draft = _Draft(omits_thinking)
    async with aclosing(events):
        async for event in events:
            draft.add(event)
    return draft.message(stop_sequences)


class _Draft:
    def __init__(self, omits_thinking: bool) -> None:
        self._omits_thinking = omits_thinking
        self._builder = BlockBuilder()
        self._blocks: list[ReplyBlock] = []
        self._opened = Opened(0, Kind.TEXT)
        self._pieces: list[str] = []
        self._model = ""
        self._done: Done | None = None

    def add(self, event: Event) -> None:
        if isinstance(event, Started):
            self._model = event.model
        for step in self._builder.steps(event):
            self._take(step)
        if isinstance(event, Done):
            self._done = event

    def message(self, stop_sequences: tuple[str, ...]) -> MessageReply:
        assert self._done is not None, "a reply without its end"
        stop_reason, stop_sequence = stop_of(self._done, stop_sequences)
        return MessageReply(
            id=_message_id(),
            type="message",
            role="assistant",
            model=self._model,
            content=self._blocks,
            stop_reason=stop_reason,
            stop_sequence=stop_sequence,
            usage=usage_of(self._done.usage),
        )

    def _take(self, step: Step) -> None:
        match step:
            case Opened():
                self._opened = step
                self._pieces = []
            case Grown():
                self._pieces.append(step.text)
            case Closed():
                self._blocks.append(self._block("".join(self._pieces)))

    def _block(self, text: str) -> ReplyBlock:
        match self._opened.kind:
            case Kind.TEXT:
                return TextBlock(type="text", text=text, citations=None)
            case Kind.THINKING if self._omits_thinking:
                return ThinkingBlock(type="thinking", thinking="", signature=carrying_signature(text))
            case Kind.THINKING:
                return ThinkingBlock(type="thinking", thinking=text, signature=SIGNATURE)
        called = self._opened
        return ToolUseBlock(type="tool_use", id=called.id, name=called.name, input=call_input(text), caller=_CALLER)


def call_input(text: str) -> dict[str, Any]:
    """The arguments as an object. Of a call that was broken off, what is complete, as clients read a stream."""
    try:
        value = from_json(text or "{}", allow_partial=True)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


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
        delta = {"stop_reason": stop_reason, "stop_sequence": stop_sequence}
        usage = usage_of(done.usage).model_dump()
        return _named({"type": "message_delta", "delta": delta, "usage": usage}) + _named({"type": "message_stop"})


def _first(started: Started, event: Event) -> bytes:
    cached = event.prompt.cached if isinstance(event, Progress) else 0
    if isinstance(event, Done):
        cached = event.usage.cached_tokens
    message: dict[str, Any] = {
        "id": _message_id(),
        "type": "message",
        "role": "assistant",
        "model": started.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage_of(Usage(prompt_tokens=started.prompt_tokens, cached_tokens=cached)).model_dump(),
    }
    return _named({"type": "message_start", "message": message}) + _PING


def _message_id() -> str:
    return f"msg_{uuid.uuid4().hex}"


def _empty(opened: Opened) -> dict[str, Any]:
    """A block before its first piece."""
    match opened.kind:
        case Kind.TEXT:
            return {"type": "text", "text": "", "citations": None}
        case Kind.THINKING:
            return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "tool_use", "id": opened.id, "name": opened.name, "input": {}, "caller": _CALLER.model_dump()}


def _named(body: dict[str, Any]) -> bytes:
    name = str(body["type"])
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(body) + b"\n\n"


def _delta_head(delta: str, field: str) -> bytes:
    """The bytes before a piece of text, with a place for the block's index."""
    body = '{"type":"content_block_delta","index":%d,"delta":{"type":"' + delta + '","' + field + '":'
    return b"event: content_block_delta\ndata: " + body.encode()
