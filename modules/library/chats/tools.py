"""Calls of tools and their results, as the file of a conversation holds them and as messages."""

import json
from collections.abc import Iterable, Mapping, Sequence

from modules.errors import BadRequest
from modules.library.chats.fields import as_object, filled, mapping_at, objects_at
from modules.library.text_files import text_at
from modules.messages import Message, Role, TextPart, ToolCall


def tools_from(sequence: Sequence[object], place: str) -> tuple[Message, ...]:
    """Raises BadRequest that names `place`."""
    entry = f"{place}: an entry of `tool_sequence`"
    return tuple(_message(as_object(each, entry), entry) for each in sequence)


def stored_tools(messages: Iterable[Message]) -> list[dict[str, object]]:
    """Of results, their text alone is kept."""
    return [_stored(message) for message in messages]


def _message(content: Mapping[str, object], place: str) -> Message:
    text = text_at(content, "content", place)
    parts = (TextPart(text),) if text else ()
    if content.get("role") == Role.TOOL:
        name = text_at(content, "name", place) or None
        return Message(role=Role.TOOL, parts=parts, name=name, tool_call_id=text_at(content, "tool_call_id", place))
    return Message(
        role=Role.ASSISTANT,
        parts=parts,
        tool_calls=tuple(_call(each, place) for each in objects_at(content, "tool_calls", place)),
        reasoning=text_at(content, "reasoning_content", place) or None,
    )


def _call(content: Mapping[str, object], place: str) -> ToolCall:
    function = mapping_at(content, "function", place)
    name = text_at(function, "name", place)
    if not name:
        raise BadRequest(f"{place}: a call of a tool has no name.")
    arguments = function.get("arguments")
    written = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    return ToolCall(text_at(content, "id", place), name, written)


def _stored(message: Message) -> dict[str, object]:
    if message.role is Role.TOOL:
        result = {"role": "tool", "content": message.text, "tool_call_id": message.tool_call_id or ""}
        return {**result, **filled({"name": message.name})}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in message.tool_calls
    ]
    return {"tool_calls": calls, **filled({"content": message.text, "reasoning_content": message.reasoning})}
