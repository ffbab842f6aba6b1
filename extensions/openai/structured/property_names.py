"""`propertyNames` in the keywords that the engine has: zod writes it for every record, pydantic for dictionaries with
constrained keys. Pure."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

Schema = dict[str, Any]

_ANNOTATIONS: Final = frozenset({"$comment", "$schema", "default", "description", "examples", "title", "type"})
_HEX: Final = "[0-9a-fA-F]"
_FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "date": "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
        "uuid": f"^{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}$",
    }
)


def with_names_enforced(node: Schema) -> Schema:
    """`node` without its `propertyNames`, where named or patterned properties can say the same; else as it is."""
    names = node.get("propertyNames")
    if not isinstance(names, dict):
        return node
    if not names.keys() - _ANNOTATIONS and names.get("type", "string") == "string":
        return {key: value for key, value in node.items() if key != "propertyNames"}
    if "patternProperties" in node or names.get("type", "string") != "string":
        return node
    listed = _listed(names)
    if listed is not None:
        return _with_listed(node, listed)
    pattern = _pattern(names)
    return node if pattern is None else _with_pattern(node, pattern)


def _listed(names: Schema) -> list[str] | None:
    """The only names there are, if the schema of the names lists them."""
    match {key: value for key, value in names.items() if key not in _ANNOTATIONS}:
        case {"enum": [*values], **more} if not more and all(isinstance(value, str) for value in values):
            return values
        case {"const": str(value), **more} if not more:
            return [value]
        case {"anyOf": [*parts], **more} | {"oneOf": [*parts], **more} if not more:
            lists = [_listed(part) if isinstance(part, dict) else None for part in parts]
            return None if None in lists else [name for part in lists for name in part or ()]
    return None


def _with_listed(node: Schema, names: list[str]) -> Schema:
    others = node.get("additionalProperties", {})
    named = node.get("properties", {})
    if not isinstance(named, dict):
        return node
    properties = {name: named.get(name, others) for name in dict.fromkeys(names)}
    kept = {key: value for key, value in node.items() if key != "propertyNames"}
    return {**kept, "properties": properties, "additionalProperties": False}


def _pattern(names: Schema) -> str | None:
    """A regular expression for the names, if the schema of the names is one."""
    asked = {key: value for key, value in names.items() if key not in _ANNOTATIONS}
    match asked:
        case {"pattern": str(pattern), **more} if not more:
            return pattern
        case {"format": str(name), **more} if not more:
            return _FORMATS.get(name)
    if asked.keys() <= {"minLength", "maxLength"} and all(_is_count(value) for value in asked.values()):
        least, most = int(asked.get("minLength", 0)), asked.get("maxLength")
        return f"^(?s:.){{{least},{'' if most is None else int(most)}}}$"
    return None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1000


def _with_pattern(node: Schema, pattern: str) -> Schema:
    """Named properties whose names do not fit could never be there. One that fits would have to be what the others are
    as well: then the node stays as it is."""
    named = node.get("properties", {})
    try:
        fits = re.compile(pattern)
    except re.error:
        return node
    if not isinstance(named, dict) or node.get("additionalProperties") is False or any(map(fits.search, named)):
        return node
    kept = {key: value for key, value in node.items() if key not in ("propertyNames", "properties")}
    others = node.get("additionalProperties", {})
    return {**kept, "patternProperties": {pattern: others}, "additionalProperties": False}
