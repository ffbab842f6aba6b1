"""Messages → the dictionaries that chat templates read, in the shape that Hugging Face's templates are written for."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

from modules.errors import NotSupported
from modules.messages import Message, Part, Role, TextPart, ToolCall, ToolSpec
from modules.prompt.pairing import with_pairs
from modules.prompt.shape import Shape

Quote: TypeAlias = Callable[[Message, str], str]

_SHORT_ID: Final = 9


def template_messages(messages: Sequence[Message], *, shape: Shape, quote: Quote) -> list[dict[str, Any]]:
    """`quote` is applied to each message's texts. Arguments of calls stay text; rendering makes them usable.

    Raises NotSupported for anything but text.
    """
    turns = [_template_message(message, shape, quote) for message in with_pairs(messages)]
    return _folded(turns) if shape.folds_results else turns


def template_tools(tools: Sequence[ToolSpec]) -> list[dict[str, Any]] | None:
    return [_template_tool(tool) for tool in tools] or None


def _template_message(message: Message, shape: Shape, quote: Quote) -> dict[str, Any]:
    if shape.thought_or_text and message.tool_calls:
        message = _with_one_text(message)
    texts = [quote(message, _text(part)) for part in message.parts]
    turn: dict[str, Any] = {"role": message.role.value}
    turn["content"] = [{"type": "text", "text": text} for text in texts] if shape.as_parts else "".join(texts)
    if message.name is not None:
        turn["name"] = quote(message, message.name)
    if message.reasoning is not None:
        # Two names are in use for the same thing.
        turn["reasoning_content"] = turn["thinking"] = quote(message, message.reasoning)
    if message.tool_call_id is not None:
        turn["tool_call_id"] = quote(message, _call_id(message.tool_call_id, shape))
    if message.tool_calls:
        calls = (replace(call, arguments=quote(message, call.arguments)) for call in message.tool_calls)
        turn["tool_calls"] = [_template_call(call, shape) for call in calls]
    return turn


def _with_one_text(message: Message) -> Message:
    if not message.reasoning or not message.text:
        return message
    return replace(message, parts=(), reasoning=f"{message.reasoning}\n\n{message.text}")


def _folded(turns: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    folded: list[dict[str, Any]] = []
    for turn in turns:
        if turn["role"] == Role.TOOL and folded and folded[-1]["role"] == Role.ASSISTANT:
            response = {"name": turn.get("name", "unknown"), "response": turn["content"]}
            folded[-1].setdefault("tool_responses", []).append(response)
        else:
            folded.append(turn)
    return folded


def _text(part: Part) -> str:
    if isinstance(part, TextPart):
        return part.text
    raise NotSupported("The loaded model reads text only; this message holds an image or a sound.", param="messages")


def _template_call(call: ToolCall, shape: Shape) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": _call_id(call.id, shape), "type": "function", "function": function}


def _call_id(given: str, shape: Shape) -> str:
    """Calls keep their ids apart, and the same id becomes the same one in every turn."""
    if not shape.short_ids or (len(given) == _SHORT_ID and given.isascii() and given.isalnum()):
        return given
    return hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()[:_SHORT_ID]


def _template_tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": _parameters(tool)}
    return {"type": "function", "function": function}


def _parameters(tool: ToolSpec) -> dict[str, Any]:
    """Templates walk through the properties without asking whether there are any."""
    if tool.is_custom:
        return {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    parameters = tool.parameters or {"type": "object"}
    return parameters if "properties" in parameters else {**parameters, "properties": {}}
