"""The item of a response that is being generated: the events that announce, extend and end it."""

from collections.abc import Sequence
from typing import Any, Protocol

import orjson
from pydantic import BaseModel

from extensions.openai.common.answers import finite, new_id, token_text
from extensions.openai.common.custom_input import CustomInput
from extensions.openai.common.items.schema import (
    CallName,
    CustomToolCallItem,
    FunctionCallItem,
    ItemStatus,
    OutputItem,
    OutputMessageItem,
    OutputText,
    OutputTokenLogprob,
    ReasoningItem,
    ReasoningText,
    SummaryText,
    TopTokenLogprob,
    sealed,
)
from modules.engine.types import TokenLogprob


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError


class EventEncoder:
    """Numbers one stream's events."""

    def __init__(self, first: int = 0) -> None:
        self._next = first

    def event(self, kind: str, **fields: object) -> bytes:
        """`kind` stands both in the event's name and in its data."""
        body = {"type": kind, "sequence_number": self._next, **fields}
        self._next += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps(body, default=_plain))


def item_logprobs(scored: Sequence[TokenLogprob]) -> list[OutputTokenLogprob]:
    return [
        OutputTokenLogprob(
            token=token_text(token.data),
            logprob=finite(token.logprob),
            bytes=list(token.data),
            top_logprobs=[
                TopTokenLogprob(token=token_text(other.data), logprob=finite(other.logprob), bytes=list(other.data))
                for other in token.top
            ],
        )
        for token in scored
    ]


def event_logprobs(logprobs: Sequence[OutputTokenLogprob]) -> list[dict[str, Any]]:
    return [token.model_dump(exclude={"bytes": True, "top_logprobs": {"__all__": {"bytes"}}}) for token in logprobs]


class OpenItem(Protocol):
    """`close` is called once, with how it ended."""

    def open(self) -> bytes: ...

    def close(self, status: ItemStatus) -> bytes: ...

    def item(self, status: ItemStatus) -> OutputItem: ...


class OpenMessage:
    """Text for the user, in one part."""

    def __init__(self, wire: EventEncoder, index: int) -> None:
        self._wire = wire
        self._index = index
        self._id = new_id("msg")
        self._texts: list[str] = []
        self._logprobs: list[OutputTokenLogprob] = []

    def open(self) -> bytes:
        item = OutputMessageItem(id=self._id, status="in_progress", content=[])
        added = self._wire.event("response.output_item.added", output_index=self._index, item=item)
        return added + self._event("response.content_part.added", part=OutputText(text=""))

    def add(self, text: str, logprobs: Sequence[OutputTokenLogprob]) -> bytes:
        self._texts.append(text)
        self._logprobs += logprobs
        return self._event("response.output_text.delta", delta=text, logprobs=event_logprobs(logprobs))

    def close(self, status: ItemStatus) -> bytes:
        logprobs = event_logprobs(self._logprobs)
        item = self.item(status)
        done = self._wire.event
        return b"".join(
            (
                self._event("response.output_text.done", text="".join(self._texts), logprobs=logprobs),
                self._event("response.content_part.done", part=item.content[0]),
                done("response.output_item.done", output_index=self._index, item=item),
            )
        )

    def item(self, status: ItemStatus) -> OutputMessageItem:
        part = OutputText(text="".join(self._texts), logprobs=self._logprobs)
        return OutputMessageItem(id=self._id, status=status, content=[part])

    def _event(self, kind: str, **fields: object) -> bytes:
        return self._wire.event(kind, item_id=self._id, output_index=self._index, content_index=0, **fields)


class OpenThought:
    """A thought, as its own text or, where the request asked for summaries, as one. `seals` adds a copy that clients
    can carry."""

    def __init__(self, wire: EventEncoder, index: int, *, summarizes: bool, seals: bool) -> None:
        self._wire = wire
        self._index = index
        self._summarizes = summarizes
        self._seals = seals
        self._id = new_id("rs")
        self._texts: list[str] = []

    def open(self) -> bytes:
        item = ReasoningItem(id=self._id, status="in_progress")
        added = self._wire.event("response.output_item.added", output_index=self._index, item=item)
        return added + self._part_event("added", "")

    def add(self, text: str) -> bytes:
        self._texts.append(text)
        return self._event("text.delta", delta=text)

    def close(self, status: ItemStatus) -> bytes:
        text = "".join(self._texts)
        done = self._wire.event
        return b"".join(
            (
                self._event("text.done", text=text),
                self._part_event("done", text),
                done("response.output_item.done", output_index=self._index, item=self.item(status)),
            )
        )

    def item(self, status: ItemStatus) -> ReasoningItem:
        text = "".join(self._texts)
        return ReasoningItem(
            id=self._id,
            status=status,
            summary=[SummaryText(text=text)] if self._summarizes else [],
            content=[] if self._summarizes else [ReasoningText(text=text)],
            encrypted_content=sealed(text) if self._seals else None,
        )

    def _event(self, what: str, **fields: object) -> bytes:
        kind, place = ("reasoning_summary_", "summary_index") if self._summarizes else ("reasoning_", "content_index")
        where = {"item_id": self._id, "output_index": self._index, place: 0}
        return self._wire.event(f"response.{kind}{what}", **where, **fields)

    def _part_event(self, what: str, text: str) -> bytes:
        if self._summarizes:
            return self._event(f"part.{what}", part=SummaryText(text=text))
        where = {"item_id": self._id, "output_index": self._index, "content_index": 0}
        return self._wire.event(f"response.content_part.{what}", **where, part=ReasoningText(text=text))


class OpenFunctionCall:
    """A call with arguments in JSON."""

    def __init__(self, wire: EventEncoder, index: int, *, call_id: str, called: CallName) -> None:
        self._wire = wire
        self._index = index
        self._id = new_id("fc")
        self._call_id = call_id
        self._called = called
        self._pieces: list[str] = []

    def open(self) -> bytes:
        return self._wire.event("response.output_item.added", output_index=self._index, item=self.item("in_progress"))

    def add(self, arguments: str) -> bytes:
        self._pieces.append(arguments)
        return self._event("delta", delta=arguments)

    def close(self, status: ItemStatus) -> bytes:
        item = self.item(status)
        arguments = self._event("done", arguments=item.arguments)
        return arguments + self._wire.event("response.output_item.done", output_index=self._index, item=item)

    def item(self, status: ItemStatus) -> FunctionCallItem:
        return FunctionCallItem(
            id=self._id,
            status=status,
            call_id=self._call_id,
            name=self._called.name,
            namespace=self._called.namespace,
            arguments="".join(self._pieces),
        )

    def _event(self, what: str, **fields: object) -> bytes:
        kind = f"response.function_call_arguments.{what}"
        return self._wire.event(kind, item_id=self._id, output_index=self._index, **fields)


class OpenCustomCall:
    """A call with free text, which the model wrote as JSON."""

    def __init__(self, wire: EventEncoder, index: int, *, call_id: str, called: CallName) -> None:
        self._wire = wire
        self._index = index
        self._id = new_id("ctc")
        self._call_id = call_id
        self._called = called
        self._reader = CustomInput()
        self._pieces: list[str] = []

    def open(self) -> bytes:
        return self._wire.event("response.output_item.added", output_index=self._index, item=self.item("in_progress"))

    def add(self, arguments: str) -> bytes:
        return self._said(self._reader.feed(arguments))

    def close(self, status: ItemStatus) -> bytes:
        rest = self._said(self._reader.close())
        item = self.item(status)
        whole = self._event("done", input=item.input)
        return rest + whole + self._wire.event("response.output_item.done", output_index=self._index, item=item)

    def item(self, status: ItemStatus) -> CustomToolCallItem:
        return CustomToolCallItem(
            id=self._id,
            call_id=self._call_id,
            name=self._called.name,
            namespace=self._called.namespace,
            input="".join(self._pieces),
        )

    def _said(self, text: str) -> bytes:
        if not text:
            return b""
        self._pieces.append(text)
        return self._event("delta", delta=text)

    def _event(self, what: str, **fields: object) -> bytes:
        kind = f"response.custom_tool_call_input.{what}"
        return self._wire.event(kind, item_id=self._id, output_index=self._index, **fields)
