"""What a user allows each tool: to be called, to be called after a question, or not at all. Pure."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from modules.chat.tools.base import Origin


class Permission(StrEnum):
    """NEVER: the model is not offered the tool. ASK: each call waits for its user's word."""

    ALWAYS = "always"
    ASK = "ask"
    NEVER = "never"


# What they send leaves this machine, or stays in the user's files.
MEMORY_TOOLS: Final = frozenset({"remember", "forget"})
_ASKED_FIRST: Final = frozenset({"web_search", "read_page"}) | MEMORY_TOOLS


def permissions_from(words: Iterable[str]) -> dict[str, Permission]:
    """Of a setting's items, each `tool=permission`; what is none is left out."""
    pairs = (word.rpartition("=") for word in words)
    values = set(Permission)
    return {name: Permission(value) for name, _, value in pairs if name and value in values}


def permission_words(permissions: Mapping[str, Permission]) -> tuple[str, ...]:
    return tuple(f"{name}={permission}" for name, permission in sorted(permissions.items()))


def default_permission(name: str, origin: Origin, *, confirms: bool) -> Permission:
    """Of a tool that nobody has decided about. Tools of servers, and those that reach out of this machine, ask; with
    `confirms` all do."""
    asks = confirms or origin is Origin.MCP or name in _ASKED_FIRST
    return Permission.ASK if asks else Permission.ALWAYS
