"""Writes the tables of request fields in docs/API.md: `python -m extensions.openai.field_tables`."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel

from extensions.openai import typing as models
from modules.paths import PROGRAM_FOLDER, atomic_write
from modules.settings.groups.generation import GenerationSettings

API_PAGE = PROGRAM_FOLDER / "docs" / "API.md"

_TABLE: Final = re.compile(r"(<!-- fields of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEAD: Final = "| field | what it accepts | without it | meaning |\n|---|---|---|---|\n"
_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {"string": "text", "number": "number", "integer": "integer", "boolean": "boolean"}
)
# Larger bounds only keep a number in its machine type, which tells a reader nothing.
_FEW: Final = 1e6


def with_tables(page: str) -> str:
    """`page` with each table between its two marks written anew. Fields stand in the table of the base class that
    brought them, where it has one."""
    tabled = [getattr(models, name) for _, name, _ in _TABLE.findall(page)]
    return _TABLE.sub(lambda found: found[1] + _table(getattr(models, found[2]), tabled) + found[3], page)


def _table(model: type[BaseModel], tabled: list[type[BaseModel]]) -> str:
    elsewhere = {name for base in model.__mro__[1:] if base in tabled for name in base.model_fields}
    properties: dict[str, dict[str, Any]] = model.model_json_schema()["properties"]
    own = {name: field for name, field in properties.items() if name not in elsewhere}
    return _HEAD + "".join(_row(name, field) for name, field in own.items())


def _row(name: str, field: Mapping[str, Any]) -> str:
    cells = (f"`{name}`", _accepted(field), _default(name), str(field.get("description", "")))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default(name: str) -> str:
    """The server's default setting."""
    setting = GenerationSettings.model_fields.get(name)
    if setting is None:
        return ""
    if isinstance(setting.default, bool):
        return str(setting.default).lower()
    return f"{setting.default:g}" if isinstance(setting.default, int | float) else "as set"


def _accepted(field: Mapping[str, Any]) -> str:
    forms = (form for form in field.get("anyOf", [field]) if form.get("type") != "null")
    return " or ".join(dict.fromkeys(_in_words(form) for form in forms))


def _in_words(form: Mapping[str, Any]) -> str:
    if "enum" in form:
        return ", ".join(map(str, form["enum"]))
    if "const" in form:
        return str(form["const"])
    if "items" in form:
        return f"list of {_accepted(form['items'])}"
    low, high = form.get("minimum", form.get("exclusiveMinimum")), form.get("maximum")
    bounds = f" {low:g} to {high:g}" if low is not None and high is not None and high < _FEW else ""
    is_object = any(key in form for key in ("$ref", "oneOf")) or form.get("type") == "object"
    return _WORDS.get(str(form.get("type")), "object" if is_object else "anything") + bounds


if __name__ == "__main__":
    atomic_write(API_PAGE, with_tables(API_PAGE.read_text(encoding="utf-8")))
