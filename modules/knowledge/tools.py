"""The tool with which a model searches the user's documents itself."""

from typing import Any, Final

from modules.chat.citations import Citation, sources_answer
from modules.chat.tools.base import ToolFailed
from modules.chat.tools.cited import SEARCH_KNOWLEDGE
from modules.chat.tools.extension import ExtensionTool
from modules.errors import ServiceError
from modules.knowledge.service import MOST_PASSAGES, KnowledgeService
from modules.messages import ToolSpec

_PASSAGES: Final = 6
_DESCRIPTION: Final = (
    "Searches the user's own documents and gives passages of them, with numbers to cite. Ask in words that such a "
    "passage would have."
)
_PARAMETERS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "description": "What to look for."},
        "collections": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Names of collections; all of them if left out.",
        },
        "count": {
            "type": "integer",
            "description": f"How many passages, from 1 to {MOST_PASSAGES}; {_PASSAGES} if left out.",
        },
    },
    "required": ["query"],
}
_NOTHING: Final = "There are no documents yet. The user can add some in Settings, Knowledge."


def knowledge_tool(knowledge: KnowledgeService) -> ExtensionTool:
    async def search_knowledge(arguments: dict[str, Any]) -> str:
        query, names, count = _checked(arguments)
        known = await knowledge.names()
        if not known:
            raise ToolFailed(_NOTHING)
        try:
            found = await knowledge.search(query, names or known, limit=count)
        except ServiceError as error:
            raise ToolFailed(error.message) from error
        if not found:
            return "Nothing was found. Try other words."
        citations = [
            Citation(
                number=number,
                source=f"{passage.collection}/{passage.path}",
                text=passage.text,
                page=passage.page,
                heading=passage.heading,
            )
            for number, passage in enumerate(found, 1)
        ]
        return sources_answer(citations)

    return ExtensionTool(
        ToolSpec(name=SEARCH_KNOWLEDGE, description=_DESCRIPTION, parameters=_PARAMETERS), search_knowledge
    )


def _checked(arguments: dict[str, Any]) -> tuple[str, list[str], int]:
    """Raises ToolFailed."""
    query, names, count = arguments.get("query"), arguments.get("collections") or [], arguments.get("count", _PASSAGES)
    if not isinstance(query, str) or not query.strip():
        raise ToolFailed("The argument query is missing; it says what to look for.")
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ToolFailed("The argument collections must be a list of names.")
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_PASSAGES:
        raise ToolFailed(f"The argument count must be a whole number from 1 to {MOST_PASSAGES}.")
    return query, names, count
