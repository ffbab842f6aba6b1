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
    """The schema of the tool's arguments: that of no arguments where the tool has none of its own."""
    if tool.is_custom:
        return _CUSTOM
    return tool.parameters or _NOTHING
