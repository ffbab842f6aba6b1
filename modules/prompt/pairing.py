"""Results and the calls that they answer: templates need ids and names that some clients leave out."""

from collections.abc import Iterable
from dataclasses import replace

from modules.messages import Message, Role, ToolCall


def with_pairs(messages: Iterable[Message]) -> list[Message]:
    """Calls without an id get one by their number, and results without one that of the first call that has no result
    yet. Results that do not say which function they are of get its name. The same conversation gets the same ids."""
    pairs = _Pairs()
    return [pairs.completed(message) for message in messages]


class _Pairs:
    def __init__(self) -> None:
        self._names: dict[str, str] = {}
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
        call = call if call.id else replace(call, id=f"call{self._count:05}")
        self._names[call.id] = call.name
        self._unanswered.append(call.id)
        return call

    def _result(self, message: Message) -> Message:
        answered = message.tool_call_id or next(iter(self._unanswered), None)
        if answered in self._unanswered:
            self._unanswered.remove(answered)
        return replace(message, tool_call_id=answered, name=message.name or self._names.get(answered or ""))
