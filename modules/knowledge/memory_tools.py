"""The tools with which a model keeps and drops notes in the user's memory files."""

import asyncio
from typing import Any, Final

from modules.chat.tools.base import ToolFailed
from modules.chat.tools.extension import ExtensionTool
from modules.errors import ServiceError
from modules.library.memory import Memory
from modules.messages import ToolSpec

REMEMBER: Final = "remember"
FORGET: Final = "forget"


def memory_tools(memory: Memory) -> tuple[ExtensionTool, ...]:
    async def remember(arguments: dict[str, Any]) -> str:
        await _told(memory.remember, arguments)
        return "It is noted, and known in new chats."

    async def forget(arguments: dict[str, Any]) -> str:
        gone = await _told(memory.forget, arguments)
        return f"Forgotten: {'; '.join(gone)}"

    return (
        ExtensionTool(_spec(REMEMBER, "Notes something that the user wants known in later chats."), remember),
        ExtensionTool(_spec(FORGET, "Drops the notes that hold these words."), forget),
    )


async def _told(act: Any, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - what one of the two acts returns
    note = arguments.get("note")
    if not isinstance(note, str):
        raise ToolFailed("The argument note is missing; it is one sentence.")
    try:
        return await asyncio.to_thread(act, note)
    except ServiceError as error:
        raise ToolFailed(error.message) from error


def _spec(name: str, description: str) -> ToolSpec:
    note = {"note": {"type": "string", "description": "One sentence, or words of it."}}
    return ToolSpec(
        name=name, description=description, parameters={"type": "object", "properties": note, "required": ["note"]}
    )
