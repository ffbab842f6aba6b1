"""Tool schemas without what llguidance cannot enforce: a tool that is not strict is worth a call that follows the rest.

What llguidance knows: https://github.com/guidance-ai/llguidance/blob/main/docs/json_schema.md
"""

from collections.abc import Iterator, Mapping
from typing import Any

from modules.reply.formats.patterns import whole_pattern

_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"})
_VALUES = frozenset({"enum", "const", "$ref"})
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength"})
_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_PARTS = frozenset({"items", "additionalProperties"})
_LISTS = frozenset({"anyOf", "allOf", "prefixItems"})
_MAPS = frozenset({"properties", "$defs", "definitions"})
_RENAMED = {"oneOf": "anyOf"}


def relaxed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` with known keywords only, in the form they have since draft 2020-12."""
    return dict(_kept(schema))


def _kept(schema: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for key, value in schema.items():
        name = "prefixItems" if key == "items" and isinstance(value, list) else _RENAMED.get(key, key)
        if name != key and name in schema:
            continue
        kept = _kept_part(name, value)
        if kept is not None:
            yield name, kept


def _kept_part(name: str, value: object) -> object:
    """The value of the keyword `name`, or None where it has to go."""
    match value:
        case dict() if name in _MAPS:
            return {each: _part(part) for each, part in value.items()}
        case dict() | bool() if name in _PARTS:
            return _part(value)
        case [_, *_] if name in _LISTS:
            return [_part(part) for part in value]
    return value if name in _VALUES or _is_enforceable(name, value) else None


def _part(schema: object) -> object:
    return relaxed(schema) if isinstance(schema, dict) else schema


def _is_enforceable(name: str, value: object) -> bool:
    match value:
        case str():
            return (
                (name == "type" and value in _TYPES)
                or (name == "format" and value in _FORMATS)
                or (name == "pattern" and whole_pattern(value) is not None)
            )
        case bool():
            return False
        case int():
            return name in _BOUNDS or (name in _COUNTS and value >= 0)
        case float():
            return name in _BOUNDS
        case [*names]:
            known = frozenset(each for each in names if isinstance(each, str))
            return len(known) == len(names) and (
                name == "required" or (name == "type" and bool(known) and known <= _TYPES)
            )
    return False
