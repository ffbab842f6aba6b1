"""Calls in the shapes of chat completions: functions, custom tools, and the older `function_call`. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from extensions.openai.chat.schema import (
    AssistantMessage,
    CalledCustom,
    CalledFunction,
    CustomToolCall,
    FinishWord,
    FunctionToolCall,
)
from extensions.openai.common.custom_input import CustomInput, custom_input
from modules.events import FinishReason, ToolCallDelta, ToolCallEnd, ToolCallStart
from modules.messages import ToolCall


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
