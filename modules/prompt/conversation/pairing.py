"""Results and the calls that they answer: templates need ids and names that some clients leave out, and ids of a form
that others do not have."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from modules.messages import Message, Role, ToolCall
from modules.prompt.templates.shape import IdStyle

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
