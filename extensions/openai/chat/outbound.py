"""Our events → the answer of a chat request: one body, or the chunks of a stream. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import orjson

from extensions.openai.chat.schema import (
    AssistantMessage,
    CalledCustom,
    CalledFunction,
    ChatChoice,
    ChatCompletion,
    ChatTokenLogprob,
    ChoiceLogprobs,
    CustomToolCall,
    FileCitation,
    FinishWord,
    FunctionToolCall,
    TopLogprob,
)
from extensions.openai.common.answers import Stamp, finite, token_text, usage_body
from extensions.openai.common.custom_input import CustomInput, custom_input
from extensions.openai.common.stream import ChunkEncoder
from modules.engine.types import TokenLogprob
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
from modules.messages import ToolCall
from modules.reply.gather import Choice, Reply


def choice_logprobs(scored: Sequence[TokenLogprob]) -> ChoiceLogprobs:
    return ChoiceLogprobs(content=[_entry(token) for token in scored], refusal=None)


def _entry(scored: TokenLogprob) -> ChatTokenLogprob:
    return ChatTokenLogprob(
        token=token_text(scored.data),
        logprob=finite(scored.logprob),
        bytes=list(scored.data),
        top_logprobs=[
            TopLogprob(token=token_text(other.data), logprob=finite(other.logprob), bytes=list(other.data))
            for other in scored.top
        ],
    )


@dataclass(frozen=True, slots=True)
class CallStyle:
    """`customs` are the names of tools that take free text; `is_legacy` is for requests that speak of functions."""

    customs: frozenset[str] = frozenset()
    is_legacy: bool = False


def finish_word(reason: FinishReason, style: CallStyle) -> FinishWord:
    if reason is FinishReason.TOOL_CALLS and style.is_legacy:
        return "function_call"
    return reason.value


def add_calls(message: AssistantMessage, calls: Sequence[ToolCall], style: CallStyle) -> None:
    """A reply without text has a content of null then. In the older form there is room for one call."""
    if not calls:
        return
    message.content = message.content or None
    if style.is_legacy:
        message.function_call = CalledFunction(name=calls[0].name, arguments=calls[0].arguments)
    else:
        message.tool_calls = [_whole_call(call, style) for call in calls]


def _whole_call(call: ToolCall, style: CallStyle) -> FunctionToolCall | CustomToolCall:
    if call.name in style.customs:
        custom = CalledCustom(name=call.name, input=custom_input(call.arguments))
        return CustomToolCall(id=call.id, type="custom", custom=custom)
    function = CalledFunction(name=call.name, arguments=call.arguments)
    return FunctionToolCall(id=call.id, type="function", function=function)


class CallDeltas:
    """The members of deltas that calls make, as JSON without braces: id, type and name come once, in the first."""

    def __init__(self, style: CallStyle) -> None:
        self._style = style
        self._inputs: dict[tuple[int, int], CustomInput] = {}

    def encode(self, event: ToolCallStart | ToolCallDelta | ToolCallEnd) -> bytes:
        if self._style.is_legacy:
            return _legacy_delta(event)
        match event:
            case ToolCallStart():
                return self._start(event)
            case ToolCallDelta():
                return self._more(event)
            case ToolCallEnd():
                return self._end(event)

    def _start(self, start: ToolCallStart) -> bytes:
        head = b'"tool_calls":[{"index":%d,"id":%b,' % (start.call, orjson.dumps(start.id))
        name = orjson.dumps(start.name)
        if start.name not in self._style.customs:
            return head + b'"type":"function","function":{"name":%b,"arguments":""}}]' % name
        self._inputs[start.index, start.call] = CustomInput()
        return head + b'"type":"custom","custom":{"name":%b,"input":""}}]' % name

    def _more(self, delta: ToolCallDelta) -> bytes:
        reader = self._inputs.get((delta.index, delta.call))
        if reader is not None:
            return _input(delta.call, reader.feed(delta.arguments))
        call = b'"tool_calls":[{"index":%d,"function":{"arguments":%b}}]'
        return call % (delta.call, orjson.dumps(delta.arguments))

    def _end(self, end: ToolCallEnd) -> bytes:
        reader = self._inputs.pop((end.index, end.call), None)
        return b"" if reader is None else _input(end.call, reader.close())


def _input(call: int, text: str) -> bytes:
    return b'"tool_calls":[{"index":%d,"custom":{"input":%b}}]' % (call, orjson.dumps(text)) if text else b""


def _legacy_delta(event: ToolCallStart | ToolCallDelta | ToolCallEnd) -> bytes:
    match event:
        case ToolCallStart(call=0):
            return b'"function_call":{"name":%b,"arguments":""}' % orjson.dumps(event.name)
        case ToolCallDelta(call=0):
            return b'"function_call":{"arguments":%b}' % orjson.dumps(event.arguments)
    return b""


_KIND: Final[Literal["chat.completion"]] = "chat.completion"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatPresentation:
    """How the caller wants to see the reply. `citations` are the passages that it was given, None where nobody asked for
    any. `continued` is a text that the request let the model go on from and that
    the answer repeats. `mirrors_calls` puts the calls beside the message too, where scripts written after this API's
    older documentation look for them."""

    has_logprobs: bool = False
    citations: tuple[FileCitation, ...] | None = None
    mirrors_calls: bool = False
    continued: str = ""
    calls: CallStyle = field(default_factory=CallStyle)


def chat_completion(reply: Reply, presentation: ChatPresentation) -> ChatCompletion:
    stamp = Stamp.of("chatcmpl", reply.model)
    return ChatCompletion(
        id=stamp.id,
        object=_KIND,
        created=stamp.created,
        model=stamp.model,
        system_fingerprint=stamp.system_fingerprint,
        choices=[_choice(choice, presentation) for choice in reply.choices],
        usage=usage_body(reply.usage),
    )


def _choice(choice: Choice, presentation: ChatPresentation) -> ChatChoice:
    message = AssistantMessage(role="assistant", content=presentation.continued + choice.text, refusal=None)
    if choice.reasoning:
        message.reasoning_content = choice.reasoning
    add_calls(message, choice.tool_calls, presentation.calls)
    if presentation.citations is not None:
        message.citations = list(presentation.citations)
    answer = ChatChoice(
        index=choice.index,
        message=message,
        logprobs=choice_logprobs(choice.logprobs) if presentation.has_logprobs else None,
        finish_reason=finish_word(choice.reason, presentation.calls),
    )
    if presentation.mirrors_calls and message.tool_calls:
        answer.tool_calls = message.tool_calls
    return answer


class ChatStream:
    """The chunks of one streamed answer, in the order that every known client can read.

    The role comes once per choice, in its first chunk; `finish_reason` once, in its last. `fills_deltas` gives every
    delta a `content`, for readers that take it for granted.
    """

    def __init__(
        self,
        presentation: ChatPresentation,
        *,
        n: int,
        wants_usage: bool,
        fills_deltas: bool,
        receipt: Callable[[], bytes] = bytes,
    ) -> None:
        self._presentation = presentation
        self._n = n
        self._filler = b',"content":""' if fills_deltas else b""
        self._chunks = ChunkEncoder(
            kind=f"{_KIND}.chunk", id_prefix="chatcmpl", wants_usage=wants_usage, receipt=receipt
        )
        self._calls = CallDeltas(presentation.calls)
        self._text_heads: list[bytes]
        self._text_tail: bytes

    def encode(self, event: Event) -> bytes:
        match event:
            case Content():
                return self._content(event)
            case Started():
                return self._start(event)
            case Reasoning():
                return self._reasoning(event)
            case ToolCallStart() | ToolCallDelta() | ToolCallEnd():
                delta = self._calls.encode(event)
                return self._chunk(event.index, b"{%b%b}" % (delta, self._filler)) if delta else b""
            case Done():
                return self._end(event)
            case _:
                return b""

    def end(self) -> bytes:
        return self._chunks.end()

    def _start(self, started: Started) -> bytes:
        self._chunks.start(started)
        head, tail = self._chunks.head, self._chunks.tail
        # A chunk of text is by far the most frequent event; everything around the text is made once.
        self._text_heads = [head + b'{"index":%d,"delta":{"content":' % index for index in range(self._n)]
        self._text_tail = b'},"logprobs":null,"finish_reason":null}' + tail
        # Many clients take the role from the first chunk only.
        first = b'{"role":"assistant","content":%b}' % orjson.dumps(self._presentation.continued)
        chunks = [self._chunk(index, first) for index in range(self._n)]
        if (citations := self._presentation.citations) is not None:
            told = b",".join(each.model_dump_json(exclude_unset=True).encode() for each in citations)
            given = b'{"citations":[%b]%b}' % (told, self._filler)
            chunks += [self._chunk(index, given) for index in range(self._n)]
        return b"".join(chunks)

    def _content(self, content: Content) -> bytes:
        if self._presentation.has_logprobs and (content.text or content.logprobs):
            delta = b'{"content":%b}' % orjson.dumps(content.text)
            return self._chunk(content.index, delta, logprobs=_logprobs(content.logprobs))
        if not content.text:
            return b""
        return self._text_heads[content.index] + orjson.dumps(content.text) + self._text_tail

    def _reasoning(self, reasoning: Reasoning) -> bytes:
        if not reasoning.text and not reasoning.logprobs:
            return b""
        delta = b'{"reasoning_content":%b%b}' % (orjson.dumps(reasoning.text), self._filler)
        return self._chunk(reasoning.index, delta, logprobs=_logprobs(reasoning.logprobs))

    def _end(self, done: Done) -> bytes:
        self._chunks.finish(done)
        finish = orjson.dumps(finish_word(done.reason, self._presentation.calls))
        # Loops of older scripts read content in every delta, the last one too.
        return self._chunk(done.index, b'{"content":""}', finish=finish)

    def _chunk(self, index: int, delta: bytes, *, logprobs: bytes = b"null", finish: bytes = b"null") -> bytes:
        choice = b'{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":%b}' % (index, delta, logprobs, finish)
        return self._chunks.around(choice)


def _logprobs(scored: tuple[TokenLogprob, ...]) -> bytes:
    return choice_logprobs(scored).model_dump_json().encode() if scored else b"null"
