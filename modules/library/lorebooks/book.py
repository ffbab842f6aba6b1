"""Lorebooks as values: texts that join the prompt when their keys occur in the conversation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from modules.messages import Role

_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


def nothing() -> Mapping[str, object]:
    """Of what a file says, that it says nothing."""
    return _NOTHING


class Position(StrEnum):
    """Where the content of an entry goes; the first six are places of the text about the character, an outlet is wherever
    a text asks for it by name."""

    BEFORE = "before_char"
    AFTER = "after_char"
    PERSONALITY = "personality"
    SCENARIO = "scenario"
    BEFORE_EXAMPLES = "before_examples"
    AFTER_EXAMPLES = "after_examples"
    DEPTH = "depth"
    OUTLET = "outlet"


class Logic(StrEnum):
    """What an entry asks of its secondary keys; SillyTavern's four."""

    ANY = "any"
    NOT_ALL = "not_all"
    NOT_ANY = "not_any"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRules:
    """When the keys of an entry count as found. None: as the book or the program has it. Each of `additional` is a list of
    which one must be found."""

    keys: tuple[str, ...] = ()
    secondary: tuple[str, ...] = ()
    logic: Logic = Logic.ANY
    additional: tuple[tuple[str, ...], ...] = ()
    excluded: tuple[str, ...] = ()
    is_regex: bool = False
    is_case_sensitive: bool = False
    whole_words: bool = False
    scan_depth: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """When an entry may be used at all. `always` needs no key; `only_after` and `only_every` count replies, `greeting` is the
    number of the greeting that the chat began with. `again` keeps it once it was found, `once` uses it the first time only.
    `delay`, `sticky` and `cooldown` count messages: of a chat that has fewer it is no part, for so many it stays once it
    was used, and for so many it is not used again."""

    is_enabled: bool = True
    always: bool = False
    never: bool = False
    only_after: int | None = None
    only_every: int | None = None
    greeting: int | None = None
    again: bool = False
    once: bool = False
    delay: int = 0
    sticky: int = 0
    cooldown: int = 0
    probability: float = 100.0
    group: str = ""
    group_weight: float = 100.0
    found_by_others: bool = True
    finds_others: bool = True
    only_found_by_others: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoreEntry:
    """`content` is without its decorators. `depth` counts messages from the end, for the position DEPTH; `outlet` is the
    name of the one that it is for. Of entries in one place the lowest `order` stands first, and where room lacks the lowest
    `priority` goes first."""

    title: str
    content: str
    rules: KeyRules = field(default_factory=KeyRules)
    conditions: Conditions = field(default_factory=Conditions)
    position: Position = Position.BEFORE
    depth: int = 4
    outlet: str = ""
    role: Role = Role.SYSTEM
    order: float = 100.0
    priority: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lorebook:
    """`raw` is the book as its file has it, with all that is not used here. None: as the program has it."""

    name: str = ""
    scan_depth: int | None = None
    token_budget: int | None = None
    is_recursive: bool = True
    entries: tuple[LoreEntry, ...] = ()
    raw: Mapping[str, object] = field(default_factory=nothing, repr=False)
    unused: tuple[str, ...] = ()
