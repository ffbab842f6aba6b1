"""The tools that a request offers, as readers and grammars of calls need them."""

from collections.abc import Sequence
from typing import Any

from modules.messages import ToolSpec
from modules.reply.formats.schema import Schema

_CUSTOM: dict[str, Any] = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}
# Keywords that say nothing of what else an object without named properties may hold.
_NAMELESS = frozenset({"type", "properties", "required", "title", "description", "$schema"})
_NOTHING: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


class OfferedTools:
    """Names of offered functions, and what each takes."""

    def __init__(self, tools: Sequence[ToolSpec]) -> None:
        self._schemas = {tool.name: Schema(parameters_of(tool)) for tool in tools}
        self.names = tuple(self._schemas)

    def __contains__(self, name: str) -> bool:
        return name in self._schemas

    def schema(self, name: str) -> Schema:
        return self._schemas[name]


def parameters_of(tool: ToolSpec) -> dict[str, Any]:
    """The schema of the tool's arguments: that of no arguments where the tool has none of its own, or names none."""
    if tool.is_custom:
        return _CUSTOM
    names_none = tool.parameters is not None and tool.parameters.get("properties") == {}
    if not tool.parameters or (names_none and _NAMELESS.issuperset(tool.parameters)):
        return _NOTHING
    return tool.parameters
