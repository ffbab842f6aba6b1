"""Our events → the answer of a Messages request, whole or streamed. Pure."""

import uuid
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson
from pydantic_core import from_json

from extensions.openai.messages.schema import (
    SIGNATURE,
    DirectCaller,
    MessageOutputTokensDetails,
    MessageReply,
    MessageUsage,
    ReplyBlock,
    StopReason,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    carrying_signature,
)
from modules.engine.types import Usage
from modules.events import (
    Content,
    Done,
    Event,
    FinishReason,
    Progress,
    Reasoning,
    Started,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)
from modules.reply.gather import Choice, ReplyAccumulator


class BlockKind(StrEnum):
    TEXT = "text"
    THINKING = "thinking"
    TOOL_USE = "tool_use"


@dataclass(frozen=True, slots=True)
class BlockStart:
    """Block `index` begins. `id` and `name` are a tool call's."""

    index: int
    kind: BlockKind
    id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class BlockDelta:
    """More text of block `index`: visible, thought, or the JSON of a call's arguments."""

    index: int
    kind: BlockKind
    text: str


@dataclass(frozen=True, slots=True)
class BlockStop:
    """Block `index` is complete."""

    index: int
    kind: BlockKind


Step = BlockStart | BlockDelta | BlockStop


class BlockBuilder:
    """The blocks of one choice. There is one open at a time, and none of nothing but white space: clients may not send
    such a block back."""

    def __init__(self) -> None:
        self._index = -1
        self._open: BlockKind | None = None
        self._blank: list[str] = []
        self._blank_kind: BlockKind | None = None

    def steps(self, event: Event) -> Iterator[Step]:
        match event:
            case Content(text=text) if text:
                yield from self._say(BlockKind.TEXT, text)
            case Reasoning(text=text) if text:
                yield from self._say(BlockKind.THINKING, text)
            case ToolCallStart():
                yield from self._begin(BlockKind.TOOL_USE, _tool_use_id(event.id), event.name)
            case ToolCallDelta(arguments=text) if text:
                yield BlockDelta(self._index, BlockKind.TOOL_USE, text)
            case ToolCallEnd() | Done():
                yield from self._close()

    def _say(self, kind: BlockKind, text: str) -> Iterator[Step]:
        if self._open is not kind:
            # It may yet be the beginning of a text, or blanks before a call.
            if text.isspace():
                self._hold(kind, text)
                return
            text = self._held(kind) + text
            yield from self._begin(kind)
        yield BlockDelta(self._index, kind, text)

    def _hold(self, kind: BlockKind, blank: str) -> None:
        if self._blank_kind is not kind:
            self._blank.clear()
        self._blank_kind = kind
        self._blank.append(blank)

    def _held(self, kind: BlockKind) -> str:
        return "".join(self._blank) if self._blank_kind is kind else ""

    def _begin(self, kind: BlockKind, call_id: str = "", name: str = "") -> Iterator[Step]:
        yield from self._close()
        self._index += 1
        self._open = kind
        yield BlockStart(self._index, kind, call_id, name)

    def _close(self) -> Iterator[Step]:
        self._blank.clear()
        if self._open is not None:
            yield BlockStop(self._index, self._open)
        self._open = None


def _tool_use_id(call_id: str) -> str:
    """With the prefix that Anthropic's clients know."""
    # A replayed call keeps its id, whichever API it came from first.
    return f"toolu_{call_id.removeprefix('call_').removeprefix('toolu_')}"


# Anthropic's clients check that it is there; calls from their code execution do not exist here.
CALLER: Final = DirectCaller(type="direct")


def stop_of(done: Done | Choice, stop_sequences: tuple[str, ...]) -> tuple[StopReason, str | None]:
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
        cache_creation=None,
        output_tokens=usage.completion_tokens,
        output_tokens_details=MessageOutputTokensDetails(thinking_tokens=usage.reasoning_tokens),
        server_tool_use=None,
        service_tier="standard",
        speed=None,
        inference_geo=None,
    )


def message_of(
    model: str,
    content: list[ReplyBlock],
    usage: Usage,
    *,
    stop: tuple[StopReason | None, str | None] = (None, None),
) -> MessageReply:
    """`stop` is why the reply ended, if it has."""
    return MessageReply(
        id=f"msg_{uuid.uuid4().hex}",
        type="message",
        role="assistant",
        model=model,
        content=content,
        stop_reason=stop[0],
        stop_sequence=stop[1],
        stop_details=None,
        container=None,
        diagnostics=None,
        usage=usage_of(usage),
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
        self._opened = BlockStart(0, BlockKind.TEXT)
        self._pieces: list[str] = []
        self._reply = ReplyAccumulator()

    def add(self, event: Event) -> None:
        self._reply.add(event)
        for step in self._builder.steps(event):
            self._take(step)

    def message(self, stop_sequences: tuple[str, ...]) -> MessageReply:
        reply = self._reply.reply()
        [choice] = reply.choices
        stop = stop_of(choice, stop_sequences)
        return message_of(reply.model, self._blocks, choice.usage, stop=stop)

    def _take(self, step: Step) -> None:
        match step:
            case BlockStart():
                self._opened = step
                self._pieces = []
            case BlockDelta():
                self._pieces.append(step.text)
            case BlockStop():
                self._blocks.append(self._block("".join(self._pieces)))

    def _block(self, text: str) -> ReplyBlock:
        match self._opened.kind:
            case BlockKind.TEXT:
                return TextBlock(type="text", text=text)
            case BlockKind.THINKING if self._omits_thinking:
                return ThinkingBlock(type="thinking", thinking="", signature=carrying_signature(text))
            case BlockKind.THINKING:
                return ThinkingBlock(type="thinking", thinking=text, signature=SIGNATURE)
        called = self._opened
        return ToolUseBlock(type="tool_use", id=called.id, name=called.name, input=call_input(text), caller=CALLER)


def call_input(text: str) -> dict[str, Any]:
    """The arguments as an object. Of a call that was broken off, what is complete, as clients read a stream."""
    try:
        value = from_json(text or "{}", allow_partial=True)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


_PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'
# The fields that message_delta's usage has in Anthropic's API, fewer than the message's own.
_DELTA_USAGE: Final = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
)
_DELTAS: Final = (
    (BlockKind.TEXT, "text_delta", "text"),
    (BlockKind.THINKING, "thinking_delta", "thinking"),
    (BlockKind.TOOL_USE, "input_json_delta", "partial_json"),
)


class MessageStream:
    """The events of one streamed answer, each with its name.

    message_start waits for what comes after Started: only then it is known how much of the prompt was cached, and many
    clients read that nowhere else.
    """

    def __init__(
        self, *, stop_sequences: tuple[str, ...], omits_thinking: bool, receipt: Callable[[], bytes] = bytes
    ) -> None:
        self._receipt = receipt
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
            case BlockDelta(kind=BlockKind.THINKING) if self._omits_thinking:
                self._thought.append(step.text)
                return b""
            case BlockDelta():
                return self._heads[step.kind] % step.index + orjson.dumps(step.text) + b"}}\n\n"
            case BlockStart():
                return _named({"type": "content_block_start", "index": step.index, "content_block": _empty(step)})
        return self._signature(step) + _named({"type": "content_block_stop", "index": step.index})

    def _signature(self, closed: BlockStop) -> bytes:
        if closed.kind is not BlockKind.THINKING:
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
        receipt = self._receipt()
        told = {"receipt": orjson.Fragment(receipt)} if receipt else {}
        last = {"type": "message_delta", "delta": delta, "usage": usage, **told}
        return _named(last) + _named({"type": "message_stop"})


def _first(started: Started, event: Event) -> bytes:
    # Told with the first progress of reading the prompt; a short one may have none before its end.
    cached = event.prompt.cached if isinstance(event, Progress) else 0
    if isinstance(event, Done):
        cached = event.usage.cached_tokens
    message = message_of(started.model, [], Usage(prompt_tokens=started.prompt_tokens, cached_tokens=cached))
    return _named({"type": "message_start", "message": message.model_dump()}) + _PING


def _empty(opened: BlockStart) -> dict[str, Any]:
    """A block before its first piece."""
    match opened.kind:
        case BlockKind.TEXT:
            return {"type": "text", "text": ""}
        case BlockKind.THINKING:
            return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "tool_use", "id": opened.id, "name": opened.name, "input": {}, "caller": CALLER.model_dump()}


def _named(body: dict[str, Any]) -> bytes:
    name = str(body["type"])
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(body) + b"\n\n"


def _delta_head(delta: str, field: str) -> bytes:
    """The bytes before a piece of text, with a place for the block's index."""
    body = '{"type":"content_block_delta","index":%d,"delta":{"type":"' + delta + '","' + field + '":'
    return b"event: content_block_delta\ndata: " + body.encode()
