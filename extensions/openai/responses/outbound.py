"""Our events → a response: its stream events as they happen, and what it has become so far. Pure."""

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import orjson

from extensions.openai.common.answers import ExtraHeaders
from extensions.openai.common.errors import UNEXPECTED_MESSAGE, log_unexpected
from extensions.openai.common.items.outbound import (
    EventEncoder,
    OpenCustomCall,
    OpenFunctionCall,
    OpenItem,
    OpenMessage,
    OpenThought,
    item_logprobs,
)
from extensions.openai.common.items.schema import CallName, ItemStatus, OutputItem
from extensions.openai.responses.inbound import ResponsePresentation
from extensions.openai.responses.schema import (
    IncompleteDetails,
    ResponseError,
    ResponseObject,
    ResponseStatus,
    response_usage,
)
from modules.errors import BadRequest, Busy, ContextTooLong, ServiceError
from modules.events import (
    Content,
    Done,
    Event,
    FinishReason,
    Reasoning,
    Started,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)

_SERVER_ERROR: Final = "server_error"

# Agents read the first as a request to shorten the conversation, though OpenAI's own types do not list it.
_CODES: Final[Mapping[type[ServiceError], str]] = MappingProxyType(
    {
        ContextTooLong: "context_length_exceeded",
        BadRequest: "invalid_prompt",
        Busy: "rate_limit_exceeded",
    }
)


def response_error(error: Exception) -> ResponseError:
    """What is no ServiceError is logged and told without its words."""
    if not isinstance(error, ServiceError):
        log_unexpected(error)
        return ResponseError(code=_SERVER_ERROR, message=UNEXPECTED_MESSAGE)
    code = next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), _SERVER_ERROR)
    return ResponseError(code=code, message=error.message)


def failure_event(wire: EventEncoder, error: Exception) -> bytes:
    """The event `error`, which says the same as the response that failed."""
    told = response_error(error)
    return wire.event("error", code=told.code, message=told.message, param=getattr(error, "param", None))


class ResponseStream:
    """One response on its way. Whole answers are what `response` is at the end.

    Items follow one another: whatever is of another kind than the open item closes it. White space before a text or
    between calls makes no item of its own.
    """

    def __init__(self, draft: ResponseObject, presentation: ResponsePresentation) -> None:
        self._draft = draft
        self._presentation = presentation
        self._wire = EventEncoder()
        self._items: list[OutputItem] = []
        self._open: OpenItem | None = None
        self._held: list[Content] = []
        self._has_begun = False
        self.remarks: ExtraHeaders | None = None

    @property
    def response(self) -> ResponseObject:
        """As it is now, the open item included."""
        unfinished: ItemStatus = "in_progress" if self._draft.status == "in_progress" else "incomplete"
        output = [*self._items, *([self._open.item(unfinished)] if self._open else [])]
        return self._draft.model_copy(update={"output": output})

    @property
    def is_over(self) -> bool:
        return self._draft.status not in {"queued", "in_progress"}

    def begin(self) -> bytes:
        """The first events; Started says them too, if this did not."""
        if self._has_begun:
            return b""
        self._has_begun = True
        created = self._lifecycle("created")
        return created + self._lifecycle("queued") if self._draft.status == "queued" else created

    def encode(self, event: Event) -> bytes:
        if self.remarks is not None:
            self.remarks.note(event)
        match event:
            case Content():
                return self._content(event)
            case Reasoning():
                return self._reasoning(event)
            case ToolCallStart() | ToolCallDelta() | ToolCallEnd():
                return self._tool(event)
            case Started():
                return self._start(event)
            case Done():
                return self._done(event)
            case _:
                return b""

    def end(self) -> bytes:
        return b""

    def fail(self, error: Exception) -> bytes:
        """The end of a stream that broke off; the response says why."""
        begun = self.begin()
        self._draft.error = response_error(error)
        self._draft.status = "failed"
        reason = self._draft.error
        told = self._wire.event("error", code=reason.code, message=reason.message, param=getattr(error, "param", None))
        return begun + told + self._lifecycle("failed")

    def cancel(self) -> None:
        self._draft.status = "cancelled"

    def _start(self, started: Started) -> bytes:
        self._draft.model = started.model
        begun = self.begin()
        self._draft.status = "in_progress"
        return begun + self._lifecycle("in_progress")

    def _content(self, content: Content) -> bytes:
        if not content.text and not content.logprobs:
            return b""
        if isinstance(self._open, OpenMessage):
            return self._said(self._open, content)
        # Blanks before a call would become a message item of their own.
        self._held.append(content)
        return b"" if not content.text.strip() else self._message()

    def _message(self) -> bytes:
        """A message of what was held back."""
        closed = self._close("completed")
        message = OpenMessage(self._wire, len(self._items))
        self._open = message
        held, self._held = self._held, []
        return b"".join((closed, message.open(), *(self._said(message, content) for content in held)))

    def _said(self, message: OpenMessage, content: Content) -> bytes:
        logprobs = item_logprobs(content.logprobs) if self._presentation.has_logprobs else []
        return message.add(content.text, logprobs)

    def _reasoning(self, reasoning: Reasoning) -> bytes:
        if isinstance(self._open, OpenThought):
            return self._open.add(reasoning.text)
        if not reasoning.text:
            return b""
        closed = self._close("completed")
        thought = OpenThought(
            self._wire,
            len(self._items),
            summarizes=self._presentation.summarizes,
            seals=self._presentation.seals_thoughts,
        )
        self._open = thought
        return closed + thought.open() + thought.add(reasoning.text)

    def _tool(self, event: ToolCallStart | ToolCallDelta | ToolCallEnd) -> bytes:
        match event:
            case ToolCallStart():
                return self._call(event)
            case ToolCallDelta():
                return self._arguments(event)
            case ToolCallEnd():
                return self._close_item("completed")

    def _call(self, start: ToolCallStart) -> bytes:
        self._held.clear()
        closed = self._close("completed")
        kind = OpenCustomCall if start.name in self._presentation.custom_names else OpenFunctionCall
        called = self._presentation.in_namespaces.get(start.name, CallName(start.name))
        self._open = kind(self._wire, len(self._items), call_id=start.id, called=called)
        return closed + self._open.open()

    def _arguments(self, delta: ToolCallDelta) -> bytes:
        assert isinstance(self._open, OpenFunctionCall | OpenCustomCall), "arguments of a call that is not open"
        return self._open.add(delta.arguments) if delta.arguments else b""

    def _close(self, status: ItemStatus) -> bytes:
        """Closes what is open for something else; a call that did not end before is broken off."""
        is_call = isinstance(self._open, OpenFunctionCall | OpenCustomCall)
        return self._close_item("incomplete" if is_call else status)

    def _close_item(self, status: ItemStatus) -> bytes:
        if self._open is None:
            return b""
        closed = self._open.close(status)
        self._items.append(self._open.item(status))
        self._open = None
        return closed

    def _done(self, done: Done) -> bytes:
        was_cut = done.reason is FinishReason.LENGTH
        # Clients expect at least one item, even of an empty reply.
        said = self._message() if not self._items and self._open is None else b""
        closed = self._close("incomplete" if was_cut else "completed")
        status: ResponseStatus = "incomplete" if was_cut else "completed"
        self._draft.status = status
        self._draft.usage = response_usage(done.usage)
        if was_cut:
            self._draft.incomplete_details = IncompleteDetails(reason="max_output_tokens")
        else:
            self._draft.completed_at = int(time.time())
        receipt = self.remarks.receipt if self.remarks is not None else b""
        told = {"receipt": orjson.Fragment(receipt)} if receipt else {}
        return said + closed + self._wire.event(f"response.{status}", response=self.response, **told)

    def _lifecycle(self, what: str) -> bytes:
        return self._wire.event(f"response.{what}", response=self.response)
