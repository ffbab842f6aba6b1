"""Messages → the dictionaries that chat templates read, in the shape that Hugging Face's templates are written for."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from modules.errors import NotSupported
from modules.messages import Message, Part, Role, TextPart, ToolCall
from modules.prompt.templates.shape import Shape

Quote: TypeAlias = Callable[[Message, str], str]


def quoted(message: Message, quote: Quote) -> Message:
    """The message with `quote` applied to each of its texts. Raises NotSupported for anything but text."""
    texts = [_text(part) for part in message.parts]
    told = [quote(message, text) for text in texts]
    others = (message.name, message.reasoning, message.tool_call_id, message.tool_calls)
    if told == texts and not any(others):
        # Most turns of most conversations: a copy would only take time.
        return message
    return replace(
        message,
        parts=tuple(map(TextPart, told)),
        name=_each(message, message.name, quote),
        reasoning=_each(message, message.reasoning, quote),
        tool_call_id=_each(message, message.tool_call_id, quote),
        tool_calls=tuple(_quoted_call(message, call, quote) for call in message.tool_calls),
    )


def template_messages(messages: Sequence[Message], *, shape: Shape) -> list[dict[str, Any]]:
    """Arguments of calls stay text; rendering makes them usable. Raises NotSupported for anything but text."""
    turns = [_template_message(message, shape) for message in messages]
    return _folded(turns) if shape.folds_results else turns


def _each(message: Message, text: str | None, quote: Quote) -> str | None:
    return None if text is None else quote(message, text)


def _quoted_call(message: Message, call: ToolCall, quote: Quote) -> ToolCall:
    return replace(call, id=quote(message, call.id), arguments=quote(message, call.arguments))


def _template_message(message: Message, shape: Shape) -> dict[str, Any]:
    if shape.thought_or_text and message.tool_calls:
        message = _with_one_text(message)
    turn: dict[str, Any] = {"role": message.role.value, "content": _content(message, shape)}
    if message.name is not None:
        turn["name"] = message.name
    if message.reasoning is not None:
        # Two names are in use for the same thing.
        turn["reasoning_content"] = turn["thinking"] = message.reasoning
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        turn["tool_calls"] = [_template_call(call) for call in message.tool_calls]
    return turn


def _content(message: Message, shape: Shape) -> str | list[dict[str, str]] | None:
    texts = [_text(part) for part in message.parts]
    if shape.null_beside_calls and message.tool_calls and not any(texts):
        return None
    return [{"type": "text", "text": text} for text in texts] if shape.as_parts else "".join(texts)


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


def _template_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}
