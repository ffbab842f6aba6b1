"""The fields of the forms for characters and personas, and characters as what stands in them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, TypeAlias

from modules.library.characters.character import Character
from modules.ui.characters.book_table import rows_of, with_rows

FieldValue: TypeAlias = str | list[list[Any]]

_NAMES: Final = "{{user}} and {{char}} stand for the names."
_DIVIDER: Final = re.compile(r"^[ \t]*---[ \t]*$", re.MULTILINE)


class FieldKind(StrEnum):
    """How a field is shown, and what it is in a character."""

    TEXT = "text"
    PARTS = "parts"
    WORDS = "words"
    BOOK = "book"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """What a form asks for, besides the name; `tab` is the one that it stands in."""

    name: str
    label: str
    info: str = ""
    lines: int = 1
    tab: str = ""
    kind: FieldKind = FieldKind.TEXT


CHARACTER_FIELDS: Final[tuple[FormField, ...]] = (
    FormField(
        name="context",
        label="Description",
        info=f"Who the character is, and how it speaks. {_NAMES}",
        lines=10,
        tab="Description",
    ),
    FormField(name="personality", label="Personality", lines=2, tab="Description"),
    FormField(name="scenario", label="Scenario", info="Where the two meet, and why.", lines=2, tab="Description"),
    FormField(
        name="greeting", label="First message", info=f"First words of a new chat. {_NAMES}", lines=4, tab="Greetings"
    ),
    FormField(
        name="alternate_greetings",
        label="Alternate greetings",
        info="Other ways to begin: versions of the first message. A line with --- stands between two.",
        lines=6,
        tab="Greetings",
        kind=FieldKind.PARTS,
    ),
    FormField(
        name="group_greetings",
        label="Group greetings",
        info="For programs with group chats; kept, and not used here.",
        lines=1,
        tab="Greetings",
        kind=FieldKind.PARTS,
    ),
    FormField(
        name="examples",
        label="Examples of dialogue",
        info="How the character answers. <START> begins an example.",
        lines=10,
        tab="Examples",
    ),
    FormField(
        name="system_prompt",
        label="System prompt",
        info="Stands above everything, in place of your own system prompt; {{original}} puts that back.",
        lines=4,
        tab="Prompts",
    ),
    FormField(
        name="post_history_instructions",
        label="Post-history instructions",
        info="Stand below the conversation, where models heed them most.",
        lines=4,
        tab="Prompts",
    ),
    FormField(
        name="book",
        label="Lorebook",
        info="Entries join the prompt when one of their keys, divided by commas, was said lately.",
        tab="Lorebook",
        kind=FieldKind.BOOK,
    ),
    FormField(name="nickname", label="Nickname", info="What {{char}} stands for, if it is not the name.", tab="About"),
    FormField(name="tags", label="Tags", info="Divided by commas.", tab="About", kind=FieldKind.WORDS),
    FormField(name="creator", label="Creator", tab="About"),
    FormField(name="version", label="Version", tab="About"),
    FormField(
        name="creator_notes",
        label="Creator's notes",
        info="For people; the model never sees them.",
        lines=4,
        tab="About",
    ),
    FormField(
        name="voice",
        label="Voice",
        info="What its replies are read aloud with, such as af_heart or af_bella(2)+af_sky; empty for the page's voice.",
        tab="About",
    ),
)
PERSONA_FIELDS: Final[tuple[FormField, ...]] = (
    FormField(
        name="about-you",
        label="About you",
        info="What characters are told about you. {{user}} and {{char}} stand for the names.",
        lines=8,
    ),
)


def shown_values(character: Character) -> tuple[FieldValue, ...]:
    return tuple(_shown(field, character) for field in CHARACTER_FIELDS)


def with_values(character: Character, values: Sequence[FieldValue]) -> Character:
    """What is as it was shown stays as it was."""
    changes: dict[str, Any] = {
        field.name: _entered(field, character, value)
        for field, value in zip(CHARACTER_FIELDS, values, strict=True)
        if value != _shown(field, character)
    }
    return replace(character, **changes)


def empty_value(field: FormField) -> FieldValue:
    return [] if field.kind is FieldKind.BOOK else ""


def _shown(field: FormField, character: Character) -> FieldValue:
    match field.kind:
        case FieldKind.BOOK:
            return rows_of(character.book)
        case FieldKind.PARTS:
            return "\n---\n".join(getattr(character, field.name))
        case FieldKind.WORDS:
            return ", ".join(getattr(character, field.name))
    return str(getattr(character, field.name))


def _entered(field: FormField, character: Character, value: FieldValue) -> object:
    if isinstance(value, list):
        return with_rows(character.book, value)
    match field.kind:
        case FieldKind.PARTS:
            return tuple(part.strip() for part in _DIVIDER.split(value) if part.strip())
        case FieldKind.WORDS:
            return tuple(dict.fromkeys(word.strip() for word in value.split(",") if word.strip()))
    return value.strip()
