"""What the type of a setting's field means: its kind, conversion of text and YAML, allowed values."""

import json
import types
from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BeforeValidator
from pydantic.fields import FieldInfo


class OptionKind(Enum):
    """What sort of value a setting holds, as far as reading and describing it goes."""

    SWITCH = auto()
    INTEGER = auto()
    NUMBER = auto()
    TEXT = auto()
    PATH = auto()
    CHOICE = auto()
    WORDS = auto()
    NUMBERS = auto()


def _split_words(value: object) -> object:
    """A list written as one text: its items stand between commas or ends of lines."""
    if not isinstance(value, str):
        return value
    return tuple(word for part in value.replace("\n", ",").split(",") if (word := part.strip()))


def _split_breakers(value: object) -> object:
    """Strings in JSON's notation, as an array or only separated by commas: `"\\n", ":"`."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    return json.loads(text if text.startswith("[") else f"[{text}]")


def _types(field: FieldInfo) -> tuple[Any, ...]:
    annotation = field.annotation
    if get_origin(annotation) in {Union, types.UnionType}:
        return get_args(annotation)
    return (annotation,)


def is_optional(field: FieldInfo) -> bool:
    """Whether the field may be None, which empty text then means."""
    return type(None) in _types(field)


def _value_type(field: FieldInfo) -> Any:  # noqa: ANN401 - a type form, such as Literal["a"], has no static type
    return next(kind for kind in _types(field) if kind is not type(None))


def choices_of(field: FieldInfo) -> tuple[str, ...]:
    """The texts of a field that is a Literal, or that was declared with choices; empty for others."""
    value_type = _value_type(field)
    return get_args(value_type) if get_origin(value_type) is Literal else tuple(_traits(field).get("choices", ()))


def _traits(field: FieldInfo) -> Mapping[str, Any]:
    """What `setting` noted of the field."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


_KINDS = {
    bool: OptionKind.SWITCH,
    int: OptionKind.INTEGER,
    float: OptionKind.NUMBER,
    str: OptionKind.TEXT,
    Path: OptionKind.PATH,
    tuple[str, ...]: OptionKind.WORDS,
    tuple[float, ...]: OptionKind.NUMBERS,
}


def kind_of(field: FieldInfo) -> OptionKind:
    """Raises KeyError for a type that no flag can express."""
    return OptionKind.CHOICE if choices_of(field) else _KINDS[_value_type(field)]


Words = Annotated[tuple[str, ...], BeforeValidator(_split_words)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_split_words)]
Breakers = Annotated[tuple[str, ...], BeforeValidator(_split_breakers)]


def read_value(field: FieldInfo, value: object) -> object:
    """Bring the ways in which flags and YAML spell a value to the one that the field's type accepts."""
    if value == "" and is_optional(field):
        return None
    match kind_of(field):
        case OptionKind.CHOICE:
            return _read_choice(field, value)
        case OptionKind.PATH if isinstance(value, str):
            return _read_path(value)
        case OptionKind.INTEGER | OptionKind.NUMBER if isinstance(value, bool):
            raise ValueError("a switch is not a number")
        case _:
            return value


def _read_path(value: str) -> Path:
    if not value:
        raise ValueError("empty text is not a path")
    return Path(value).expanduser()


def _read_choice(field: FieldInfo, value: object) -> object:
    if isinstance(value, bool):
        # YAML 1.1 reads a bare `on` or `off` as a boolean.
        value = "on" if value else "off"
    if not isinstance(value, str):
        return value
    synonyms, choices = _traits(field).get("synonyms", {}), choices_of(field)
    if value.lower() in synonyms:
        return synonyms[value.lower()]
    chosen = next((choice for choice in choices if choice.lower() == value.lower()), None)
    if chosen is None and _traits(field).get("choices"):
        raise ValueError("not one of the choices")
    return value if chosen is None else chosen


_ALLOWED = {
    OptionKind.SWITCH: "true or false",
    OptionKind.INTEGER: "a whole number",
    OptionKind.NUMBER: "a number",
    OptionKind.TEXT: "text (in quotes, if it looks like a number)",
    OptionKind.PATH: "a path",
    OptionKind.WORDS: "a list, separated by commas or, after a flag, by spaces",
    OptionKind.NUMBERS: "a list of numbers, separated by commas",
}


def allowed_values(field: FieldInfo) -> str:
    """What the field accepts, as the end of a sentence that begins with "it must be"."""
    choices = choices_of(field)
    if choices:
        return f"one of {', '.join(choices)}"
    return ", ".join(filter(None, (_ALLOWED[kind_of(field)], _bounds(field))))


def _bounds(field: FieldInfo) -> str:
    return " and ".join(phrase for limit in field.metadata if (phrase := _bound(limit)))


def _bound(limit: object) -> str:
    match limit:
        case Ge():
            return f"at least {limit.ge}"
        case Gt():
            return f"above {limit.gt}"
        case Le():
            return f"at most {limit.le}"
        case Lt():
            return f"below {limit.lt}"
        case _:
            return ""
