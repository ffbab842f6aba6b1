"""The tools of one reply, whose sources are numbered on from those that the chat has already."""

import json
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from modules.chat.citations import renumbered

SEARCH_KNOWLEDGE: Final = "search_knowledge"
_COLLECTIONS: Final = "collections"


class ToolCaller(Protocol):
    """Runs calls of tools."""

    async def call(self, name: str, arguments: str) -> str:
        """What the tool says; where it fails, a sentence that says so to the model."""


class CitingTools:
    """`first` is the number of the first source. A search of the knowledge that names no collections is one of
    `collections`, where the chat has some."""

    def __init__(self, tools: ToolCaller, *, first: int, collections: Sequence[str] = ()) -> None:
        self._tools = tools
        self._next = first
        self._collections = list(collections)

    async def call(self, name: str, arguments: str) -> str:
        if name == SEARCH_KNOWLEDGE and self._collections:
            arguments = _with_default(arguments, {_COLLECTIONS: self._collections})
        answer, self._next = renumbered(await self._tools.call(name, arguments), self._next)
        return answer


def _with_default(arguments: str, defaults: Mapping[str, object]) -> str:
    try:
        values = json.loads(arguments) if arguments.strip() else {}
    except (ValueError, RecursionError):
        return arguments
    if not isinstance(values, dict) or values.get(_COLLECTIONS):
        return arguments
    return json.dumps({**values, **defaults})
