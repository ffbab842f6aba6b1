"""What every kind of tool has in common: how it is shown, how it is called, and how it fails."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from modules.messages import ToolSpec

# About five thousand tokens: one answer must not fill the context.
MAX_ANSWER: Final = 20_000
# Descriptions are part of every prompt.
_MAX_DESCRIPTION: Final = 4_000
_MAX_SCHEMA: Final = 64 * 1024
# OpenAI's rule for names, and dots, which MCP servers use.
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Origin(StrEnum):
    """Where a tool comes from."""

    BUILT_IN = "built-in"
    FILE = "file"
    MCP = "mcp"
    EXTENSION = "extension"


class ToolFailed(Exception):
    """A tool cannot do what it was asked; the text is for the model, and for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolInfo:
    """One row in a list of tools. With a `problem` it is no tool yet: `name` says what has to be mended."""

    name: str
    description: str
    origin: Origin
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The tools of one kind as they are now, and what is wrong with the others."""

    specs: tuple[ToolSpec, ...] = ()
    problems: tuple[ToolInfo, ...] = ()

    def find(self, name: str) -> ToolSpec | None:
        return next((spec for spec in self.specs if spec.name == name), None)


class ToolSource(Protocol):
    """All tools of one origin."""

    origin: Origin

    async def shelf(self) -> Shelf:
        """Takes a bounded time; what fails is in `problems`."""

    async def find(self, name: str) -> ToolSpec | None: ...

    async def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """The tool's answer. Raises ToolFailed; being cancelled ends the tool where it can be ended."""

    async def aclose(self) -> None: ...


def checked_spec(name: object, description: object, parameters: object) -> ToolSpec:
    """A spec out of somebody else's words. Raises ToolFailed that says what is wrong with them."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ToolFailed(f"Its name {name!a:.80} must be 1 to 64 letters, digits, dots, hyphens or underscores.")
    if not isinstance(parameters, dict | None):
        raise ToolFailed("Its parameters must be a JSON schema, which is an object.")
    if not isinstance(description, str | None):
        raise ToolFailed("Its description must be text.")
    try:
        size = len(json.dumps(parameters))
    except (TypeError, ValueError, RecursionError):
        raise ToolFailed("Its parameters must be a JSON schema.") from None
    if size > _MAX_SCHEMA:
        raise ToolFailed(f"The schema of its parameters is longer than {_MAX_SCHEMA // 1024} KiB.")
    return ToolSpec(name=name, description=(description or "")[:_MAX_DESCRIPTION], parameters=parameters)


def answer_text(value: object) -> str:
    """What a tool's function returned, as the text that the model reads."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def shortened(answer: str) -> str:
    """`answer`, cut where it is longer than a model can be expected to read."""
    if len(answer) <= MAX_ANSWER:
        return answer
    return f"{answer[:MAX_ANSWER]}\n[The answer has {len(answer)} characters; the first {MAX_ANSWER} are above.]"
