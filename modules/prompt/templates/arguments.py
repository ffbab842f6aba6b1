"""Arguments of replayed tool calls as templates read them: some walk through an object, others print its JSON text."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from typing_extensions import override


class Arguments(dict[str, Any]):
    """An object that, printed or concatenated, is the JSON text it came from."""

    def __init__(self, values: Mapping[str, Any], text: str) -> None:
        super().__init__(values)
        self._text = text

    @override
    def __str__(self) -> str:
        return self._text

    def __add__(self, other: str) -> str:
        return self._text + other

    def __radd__(self, other: str) -> str:
        return other + self._text


class BrokenArguments(str):
    """What a model wrote in place of a JSON object, for a conversation must go on after it: printed as it was written,
    and one argument for templates that walk through them."""

    __slots__ = ()

    def items(self) -> Iterable[tuple[str, str]]:
        return (("arguments", str(self)),)


def replayed_arguments(text: str) -> Arguments | BrokenArguments:
    """`text` as the model or a client wrote it; nothing and null mean no arguments."""
    value = _parsed(text)
    if isinstance(value, str) and isinstance(inner := _parsed(value), dict):
        # Some clients encode twice.
        return Arguments(inner, value)
    if isinstance(value, dict):
        return Arguments(value, text)
    return Arguments({}, "{}") if value is None and text.strip() in {"", "null"} else BrokenArguments(text)


def with_arguments(variables: Mapping[str, Any]) -> dict[str, Any]:
    """A template's variables with the text arguments of `messages[*].tool_calls[*].function` made usable either way."""
    if "messages" not in variables:
        return dict(variables)
    return {**variables, "messages": [_message(message) for message in variables["messages"]]}


def _message(message: Mapping[str, Any]) -> Mapping[str, Any]:
    if not message.get("tool_calls"):
        return message
    return {**message, "tool_calls": [_call(call) for call in message["tool_calls"]]}


def _call(call: Mapping[str, Any]) -> Mapping[str, Any]:
    function = call["function"]
    if not isinstance(function["arguments"], str):
        return call
    return {**call, "function": {**function, "arguments": replayed_arguments(function["arguments"])}}


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
