"""What a chat uses of the documents and the memory, kept with it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from modules.library.chats.history import History

# Keys, in the `extra` of a conversation, of what it has of the user's memory files and of what was chosen for it.
MEMORY: Final = "memory"
_USES: Final = "uses"
_MOST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatUses:
    """Names of collections of documents that each message is answered with, whether the model knows the memory, and the
    user's persona, empty for the one that was chosen last."""

    persona: str = ""
    knowledge: tuple[str, ...] = ()
    memory: bool = False


def uses_of(history: History) -> ChatUses:
    """Of one that is older than the choice: no documents, and the memory that it began with."""
    return uses_from(history.extra.get(_USES)) or ChatUses(memory=bool(memory_of(history)))


def with_uses(history: History, uses: ChatUses) -> History:
    return replace(history, extra={**history.extra, _USES: stored_uses(uses)})


def uses_from(stored: object) -> ChatUses | None:
    """What `stored_uses` made, or anything that a file or browser says; None where it says nothing."""
    if not isinstance(stored, Mapping):
        return None
    names = stored.get("knowledge")
    named = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    persona = stored.get("persona")
    return ChatUses(
        persona=persona if isinstance(persona, str) else "",
        knowledge=tuple(named[:_MOST]),
        memory=stored.get("memory") is True,
    )


def stored_uses(uses: ChatUses) -> dict[str, object]:
    return {"persona": uses.persona, "knowledge": list(uses.knowledge), "memory": uses.memory}


def memory_of(history: History) -> str:
    """What the conversation has of the memory files, used or not."""
    memory = history.extra.get(MEMORY)
    return memory if isinstance(memory, str) else ""


def takes_memory(history: History) -> bool:
    """Whether the memory is to be read for it: it uses it, and has none of its own yet, not even an empty one."""
    return uses_of(history).memory and MEMORY not in history.extra


def with_memory(history: History, memory: str) -> History:
    return replace(history, extra={**history.extra, MEMORY: memory})
