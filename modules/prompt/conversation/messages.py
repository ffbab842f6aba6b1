"""Messages and tools → the dictionaries that chat templates read, in Hugging Face's shape."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

from modules.errors import NotSupported
from modules.messages import Message, Part, Role, TextPart, ToolCall, ToolSpec
from modules.prompt.templates.shape import OWN, IdStyle, Shape
from modules.prompt.tokens import is_media_place

# Mistral's templates refuse ids of any other length.
_SHORT_ID: Final = 9


def with_pairs(messages: Iterable[Message], ids: IdStyle = IdStyle.AS_GIVEN) -> list[Message]:
    """Calls without an id get one by their number, and results without one that of the first call that has no result
    yet. Results that do not say which function they are of get its name. The same conversation gets the same ids."""
    pairs = _Pairs(ids)
    return [pairs.completed(message) for message in messages]


class _Pairs:
    def __init__(self, ids: IdStyle) -> None:
        self._ids = ids
        self._calls: dict[str, ToolCall] = {}
        self._unanswered: list[str] = []
        self._count = 0

    def completed(self, message: Message) -> Message:
        if message.role is Role.TOOL:
            return self._result(message)
        if not message.tool_calls:
            return message
        return replace(message, tool_calls=tuple(self._call(call) for call in message.tool_calls))

    def _call(self, call: ToolCall) -> ToolCall:
        self._count += 1
        given = call.id or f"call{self._count:05}"
        self._calls[given] = replace(call, id=self._styled(given, call.name))
        self._unanswered.append(given)
        return self._calls[given]

    def _result(self, message: Message) -> Message:
        answered = message.tool_call_id or next(iter(self._unanswered), None)
        if answered in self._unanswered:
            self._unanswered.remove(answered)
        if answered is None:
            return message
        call = self._calls.get(answered)
        if call is None:
            return replace(message, tool_call_id=_short(answered) if self._ids is IdStyle.SHORT else answered)
        return replace(message, tool_call_id=call.id, name=message.name or call.name)

    def _styled(self, given: str, name: str) -> str:
        match self._ids:
            case IdStyle.SHORT:
                return _short(given)
            case IdStyle.NUMBERED:
                return f"functions.{name}:{self._count - 1}"
        return given


def _short(given: str) -> str:
    """Calls keep their ids apart, and the same id becomes the same one in every turn."""
    if len(given) == _SHORT_ID and given.isascii() and given.isalnum():
        return given
    return hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()[:_SHORT_ID]


# Bounds the recursion; parameters of real tools are three or four levels deep.
_MAX_DEPTH: Final = 12
_TYPES: Final = ("string", "integer", "number", "boolean", "array", "object")


def template_tools(tools: Sequence[ToolSpec], *, is_fitted: bool = False) -> list[dict[str, Any]] | None:
    """`is_fitted`: with schemas for templates that know plain types only, and ask each argument for a description."""
    return [_template_tool(tool, is_fitted) for tool in tools] or None


def fitted_tools(tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Tools as `template_tools` gives them, fitted."""
    return [{**tool, "function": _fitted_function(tool["function"])} for tool in tools]


def _template_tool(tool: ToolSpec, is_fitted: bool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": _parameters(tool)}
    return {"type": "function", "function": _fitted_function(function) if is_fitted else function}


def _parameters(tool: ToolSpec) -> dict[str, Any]:
    """Templates walk through the properties without asking whether there are any."""
    if tool.is_custom:
        return {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    parameters = tool.parameters or {"type": "object"}
    return parameters if "properties" in parameters else {**parameters, "properties": {}}


def _fitted_function(function: Mapping[str, Any]) -> dict[str, Any]:
    parameters = function["parameters"]
    properties = {name: _fitted(value, 0) for name, value in parameters["properties"].items()}
    return {**function, "parameters": {**parameters, "properties": properties}}


def _fitted(schema: object, depth: int) -> dict[str, Any]:
    """One type for each value: of several the first that is not null."""
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return {"type": "string", "description": ""}
    fitted = {**_one_of(schema), "description": schema.get("description") or ""}
    types = fitted.get("type")
    if isinstance(types, list):
        types = next((each for each in types if each != "null"), "string")
    fitted["type"] = types if types in _TYPES else "object" if "properties" in fitted else "string"
    if isinstance(fitted.get("properties"), Mapping):
        fitted["properties"] = {name: _fitted(value, depth + 1) for name, value in fitted["properties"].items()}
    if fitted["type"] == "object":
        fitted["additionalProperties"] = _fitted(fitted.get("additionalProperties"), depth + 1)
    if fitted["type"] == "array":
        fitted["items"] = _fitted(fitted.get("items"), depth + 1)
    return fitted


def _one_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The first of alternatives that is not null, with what stands beside them."""
    for key in ("anyOf", "oneOf", "allOf"):
        ways = schema.get(key)
        if isinstance(ways, list):
            rest = {name: value for name, value in schema.items() if name != key}
            way = next((way for way in ways if isinstance(way, Mapping) and way.get("type") != "null"), {})
            return {**way, **rest}
    return dict(schema)


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


def with_margins(message: Message, margins: tuple[str, str] | None) -> Message:
    """The message with `margins`, white space, around each place of a picture or a sound; None puts it on a line of its
    own."""
    if not any(is_media_place(_text(part)) for part in message.parts):
        return message
    return replace(message, parts=tuple(_with_margins([_text(part) for part in message.parts], margins)))


def _with_margins(texts: Sequence[str], margins: tuple[str, str] | None) -> Iterator[TextPart]:
    for index, text in enumerate(texts):
        if not is_media_place(text):
            yield TextPart(text)
        elif margins is not None:
            yield TextPart(margins[0] + text + margins[1])
        else:
            before, after = "".join(texts[:index]), "".join(texts[index + 1 :])
            starts_line = not before or before.endswith("\n") or is_media_place(texts[index - 1])
            yield TextPart(
                ("" if starts_line else "\n") + text + ("\n" if after and not after.startswith("\n") else "")
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
    function = {"name": call.name, "arguments": OWN + call.arguments if call.is_own else call.arguments}
    return {"id": call.id, "type": "function", "function": function}
