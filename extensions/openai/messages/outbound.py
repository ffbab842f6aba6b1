"""Our events → the answer of a request for a message, whole. Pure."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

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
from modules.events import Done, Event, FinishReason, Started

CALLER: Final = DirectCaller(type="direct")


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
        cache_creation=None,
        output_tokens=usage.completion_tokens,
        output_tokens_details=OutputTokensDetails(thinking_tokens=usage.reasoning_tokens),
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
        stop = stop_of(self._done, stop_sequences)
        return message_of(self._model, self._blocks, self._done.usage, stop=stop)

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
                return TextBlock(type="text", text=text)
            case Kind.THINKING if self._omits_thinking:
                return ThinkingBlock(type="thinking", thinking="", signature=carrying_signature(text))
            case Kind.THINKING:
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
