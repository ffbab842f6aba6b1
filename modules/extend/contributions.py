"""What one extension adds to the program, as plain values."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from modules.chat.tools.extension import ExtensionTool
from modules.extend.services import OfferedService

Build: TypeAlias = Callable[[], object]
Text: TypeAlias = str | Callable[[], str]


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab of the page; `build` is called inside it, where it makes Gradio components."""

    title: str
    build: Build


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the page below the chat; `build` as in `Tab`. Whether it shows its `title` is up to itself."""

    title: str
    build: Build


@dataclass(slots=True)
class Contributions:
    """Filled while an extension is set up. `hooks` are by the names of `modules.hooks.Hooks`."""

    hooks: dict[str, list[Any]] = field(default_factory=dict)
    tabs: list[Tab] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    css: list[Text] = field(default_factory=list)
    js: list[Text] = field(default_factory=list)
    tools: list[ExtensionTool] = field(default_factory=list)
    services: list[OfferedService] = field(default_factory=list)
