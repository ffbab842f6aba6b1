"""Tool call deltas of every dialect → the events of well-formed calls. Pure.

OpenAI's API numbers the calls of a reply and names each once. Other servers leave out the number or give each call 0,
repeat the name, leave out the id, or send the arguments as an object.
"""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from modules.events import Event, ToolCallDelta, ToolCallEnd, ToolCallStart


@dataclass(slots=True)
class _Call:
    number: int
    index: object
    id: str
    is_named: bool = False
    held: str = ""


class ToolCallReader:
    """The calls of choice `choice`. A call is announced when its name is known."""

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._calls: list[_Call] = []

    def __bool__(self) -> bool:
        return bool(self._calls)

    def feed(self, deltas: object) -> Iterator[Event]:
        """`deltas` is what stands under `tool_calls`, or a single one under `function_call`."""
        for delta in deltas if isinstance(deltas, list) else [deltas]:
            if isinstance(delta, Mapping):
                yield from self._delta(delta)

    def close(self) -> Iterator[Event]:
        if self._calls and self._calls[-1].is_named:
            yield ToolCallEnd(index=self._choice, call=self._calls[-1].number)

    def _delta(self, delta: Mapping[str, Any]) -> Iterator[Event]:
        function = delta.get("function")
        function = function if isinstance(function, Mapping) else delta
        name = function.get("name")
        call = self._continued(delta, name)
        if call is None:
            yield from self.close()
            call_id = delta.get("id")
            call = _Call(
                number=len(self._calls),
                index=delta.get("index"),
                id=call_id if isinstance(call_id, str) and call_id else f"call_{secrets.token_hex(12)}",
            )
            self._calls.append(call)
        if isinstance(name, str) and name and not call.is_named:
            call.is_named = True
            yield ToolCallStart(index=self._choice, call=call.number, id=call.id, name=name)
        call.held += _arguments(function.get("arguments"))
        if call.is_named and call.held:
            text, call.held = call.held, ""
            yield ToolCallDelta(index=self._choice, call=call.number, arguments=text)

    def _continued(self, delta: Mapping[str, Any], name: object) -> _Call | None:
        """The call that `delta` goes on with; None when it begins one."""
        if not self._calls:
            return None
        call_id, index = delta.get("id"), delta.get("index")
        if call_id:
            # Some servers repeat the id in every delta, others give several calls the same number.
            return next((call for call in self._calls if call.id == call_id), None)
        if index is not None:
            return next((call for call in reversed(self._calls) if call.index == index), None)
        last = self._calls[-1]
        return None if name and last.is_named else last


def _arguments(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
