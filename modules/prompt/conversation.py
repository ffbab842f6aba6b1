"""Messages → the dictionaries that chat templates read, in the shape that Hugging Face's templates are written for."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from modules.errors import NotSupported
from modules.messages import Message, Part, TextPart, ToolCall, ToolSpec


def template_messages(
    messages: Iterable[Message], *, as_parts: bool, quote: Callable[[Message, str], str]
) -> list[dict[str, Any]]:
    """`as_parts` is for templates that walk through a list of typed parts; `quote` is applied to each message's texts.

    Raises NotSupported for anything but text.
    """
    return [_template_message(message, as_parts, quote) for message in messages]


def template_tools(tools: Sequence[ToolSpec]) -> list[dict[str, Any]] | None:
    return [_template_tool(tool) for tool in tools] or None


def _template_message(message: Message, as_parts: bool, quote: Callable[[Message, str], str]) -> dict[str, Any]:
    texts = [quote(message, _text(part)) for part in message.parts]
    turn: dict[str, Any] = {"role": message.role.value}
    turn["content"] = [{"type": "text", "text": text} for text in texts] if as_parts else "".join(texts)
    if message.name is not None:
        turn["name"] = quote(message, message.name)
    if message.reasoning is not None:
        turn["reasoning_content"] = message.reasoning
    if message.tool_call_id is not None:
        turn["tool_call_id"] = quote(message, message.tool_call_id)
    if message.tool_calls:
        turn["tool_calls"] = [_template_call(call) for call in message.tool_calls]
    return turn


def _text(part: Part) -> str:
    if isinstance(part, TextPart):
        return part.text
    raise NotSupported("The loaded model reads text only; this message holds an image or a sound.", param="messages")


def _template_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": _arguments(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def _arguments(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Templates iterate over an object; text that is no JSON is passed on as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _template_tool(tool: ToolSpec) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "description": tool.description}
    if tool.parameters is not None:
        function["parameters"] = tool.parameters
    return {"type": "function", "function": function}
