"""One setting: a typed field with its flag, settings.yaml key, variable and documentation."""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, Field, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from modules.paths import PROGRAM_FOLDER
from modules.settings.option_values import OptionKind, allowed_values, choices_of, kind_of, read_value

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One setting as seen from outside.

    `allowed` completes the sentence "it must be …". `key` is its name in settings.yaml, which holds it if it is
    `stored`. `env` is the variable that stands above everything, empty where there is none. `label` is what the page
    calls it; what `is_main` the Model tab shows at once. What is `operator_only` no request can set for a load, and what is
    `operator_on` requests of the API can only switch off.
    """

    name: str
    group: str
    description: str
    default: object
    kind: OptionKind
    choices: tuple[str, ...]
    allowed: str
    key: str
    aliases: tuple[str, ...]
    env: str
    secret: bool
    stored: bool
    is_file: bool
    label: str
    is_main: bool
    operator_only: bool
    operator_on: bool

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    @property
    def flags(self) -> tuple[str, ...]:
        """Every flag that sets it, with dashes; underscores mean the same."""
        return self.flag, *(f"--{alias.replace('_', '-')}" for alias in self.aliases)

    @property
    def shown_default(self) -> str:
        """The default as the operator would write it, empty where there is none; folders as seen from the program's."""
        return _shown(self.default)

    @property
    def negation(self) -> str | None:
        """The flag that switches it off, for switches."""
        if self.kind is not OptionKind.SWITCH:
            return None
        name = self.flag.removeprefix("--")
        return f"--{name.removeprefix('no-')}" if name.startswith("no-") else f"--no-{name}"


def setting(  # noqa: PLR0913 - every argument but two is a keyword that a declaration names
    default: _Value,
    description: str,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    pattern: str | None = None,
    choices: Sequence[str] = (),
    synonyms: Mapping[str, str | None] = MappingProxyType({}),
    allowed: str = "",
    key: str = "",
    aliases: Sequence[str] = (),
    env: str = "",
    secret: bool = False,
    stored: bool = True,
    is_file: bool = False,
    label: str = "",
    is_main: bool = False,
    operator_only: bool = False,
    operator_on: bool = False,
) -> _Value:
    """Declare a field of a `SettingsGroup`. `allowed` says in words what `pattern` or a validator of the type accepts.

    `choices` are the values of a text where they are no Literal; `synonyms` are further spellings of them in lower case.

    `key` is the settings.yaml key where it is not the field's name; `secret` values appear in no message or repr;
    `is_file` paths must exist when the program starts.
    """
    traits: dict[str, Any] = {"allowed": allowed, "key": key, "aliases": list(aliases), "env": env}
    traits |= {"secret": secret, "stored": stored, "is_file": is_file, "label": label, "is_main": is_main}
    traits |= {"choices": list(choices), "synonyms": dict(synonyms)}
    traits |= {"operator_only": operator_only, "operator_on": operator_on}
    field: _Value = Field(
        default,
        description=description,
        ge=ge,
        gt=gt,
        le=le,
        lt=lt,
        pattern=pattern,
        repr=not secret,
        json_schema_extra=traits,
    )
    return field


class SettingsGroup(
    BaseModel, frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True, validate_default=True
):
    """Settings that stand together under one `title` in --help and in the documentation."""

    title: ClassVar[str]

    @field_validator("*", mode="before")
    @classmethod
    def _read(cls, value: object, info: ValidationInfo) -> object:
        assert info.field_name is not None
        return read_value(cls.model_fields[info.field_name], value)


def options_of(group: type[SettingsGroup]) -> tuple[Option, ...]:
    """The settings that `group` declares, in its order."""
    return tuple(option_of(name, field, group.title) for name, field in group.model_fields.items())


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `name` most likely was meant to be, or None when none is similar."""
    return next(iter(difflib.get_close_matches(name, list(names), n=1)), None)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The end of a message about an unknown `name`: a suggestion, or nothing."""
    suggestion = nearest(name, names)
    return f"; did you mean {suggestion}?" if suggestion else ""


def option_of(name: str, field: FieldInfo, group: str) -> Option:
    """`field` of the group with that title, as seen from outside."""
    traits = field.json_schema_extra
    assert isinstance(traits, dict)
    declared: Mapping[str, Any] = traits
    return Option(
        name=name,
        group=group,
        description=field.description or "",
        default=field.default,
        kind=kind_of(field),
        choices=choices_of(field),
        allowed=declared["allowed"] or allowed_values(field),
        key=declared["key"] or name,
        aliases=tuple(declared["aliases"]),
        env=declared["env"],
        secret=declared["secret"],
        stored=declared["stored"],
        is_file=declared["is_file"],
        label=declared["label"] or name.replace("_", " ").capitalize(),
        is_main=declared["is_main"],
        operator_only=declared["operator_only"],
        operator_on=declared["operator_on"],
    )


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "on" if value else "off"
        case float():
            return f"{value:g}"
        case Path():
            return value.relative_to(PROGRAM_FOLDER).as_posix() if value.is_relative_to(PROGRAM_FOLDER) else str(value)
        case tuple():
            return ", ".join(map(_shown_item, value))
        case _:
            return str(value)


def _shown_item(item: object) -> str:
    return item if isinstance(item, str) and item.isidentifier() else json.dumps(item)
