"""JSON schemas as clients write them → valid ones, in keywords that the engine enforces. Pure."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import Any, Final

Schema = dict[str, Any]

# Keywords that restrict no name. Names are strings, so `type` restricts nothing either.
_ANNOTATIONS: Final = frozenset({"$comment", "$schema", "default", "description", "examples", "title", "type"})
_HEX: Final = "[0-9a-fA-F]"
# Formats that generators use for the keys of a record.
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
        # It says no more than that names are strings, which they always are.
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
    # Whatever is not matched by the pattern is refused: together this means the same as propertyNames.
    return {**kept, "patternProperties": {pattern: others}, "additionalProperties": False}


# Alternatives are compared in pairs: 64 give 2,016 of them.
_MAX_ALTERNATIVES: Final = 64


def are_disjoint(parts: Sequence[object]) -> bool:
    """True only where it can be seen at once: by type, by listed values, or by a required property that tells them apart,
    as generators write a union with a discriminator."""
    if len(parts) > _MAX_ALTERNATIVES:
        return False
    return all(_exclude(one, other) for one, other in combinations(parts, 2))


def _exclude(one: object, other: object) -> bool:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    return _differ(_types(one), _types(other)) or _differ(_values(one), _values(other)) or _are_told_apart(one, other)


def _differ(one: frozenset[str] | None, other: frozenset[str] | None) -> bool:
    return one is not None and other is not None and not one & other


def _types(schema: Schema) -> frozenset[str] | None:
    """None where any type may be."""
    given = schema.get("type")
    named = [given] if isinstance(given, str) else given
    if not isinstance(named, list):
        return None
    types = {str(name) for name in named}
    return frozenset(types | {"integer", "number"} if types & {"integer", "number"} else types)


def _values(schema: Schema) -> frozenset[str] | None:
    """The listed values as JSON; None where none are listed."""
    if "const" in schema:
        return frozenset({json.dumps(schema["const"], sort_keys=True)})
    listed = schema.get("enum")
    return frozenset(json.dumps(value, sort_keys=True) for value in listed) if isinstance(listed, list) else None


def _are_told_apart(one: Schema, other: Schema) -> bool:
    shared = set(_required(one)) & set(_required(other))
    return any(_differ(_values(_property(one, name)), _values(_property(other, name))) for name in shared)


def _required(schema: Schema) -> Iterator[str]:
    names = schema.get("required")
    return (name for name in names if isinstance(name, str)) if isinstance(names, list) else iter(())


def _property(schema: Schema, name: str) -> Schema:
    named = schema.get("properties")
    found = named.get(name) if isinstance(named, dict) else None
    return found if isinstance(found, dict) else {}


# Under these a schema stands, or a list of schemas; under the named ones, schemas by name.
_SCHEMAS: Final = frozenset(
    {
        "additionalProperties",
        "allOf",
        "anyOf",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "oneOf",
        "prefixItems",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_NAMED_SCHEMAS: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
# Here null is a value like any other.
_VALUES: Final = frozenset({"const", "default", "enum", "example", "examples"})
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAX_DEPTH: Final = 100
# A body of some megabytes can hold more, and each part costs time while other requests wait.
_MAX_PARTS: Final = 100_000


def plain_schema(schema: object) -> object:
    """A copy in JSON Schema's own words; what is deeper than 100 levels, too large for any use, or no schema, is left as
    it is."""
    return _copied(schema, 0) if has_sane_size(schema) else schema


def has_sane_size(schema: object) -> bool:
    """False for more parts than the engine takes, which are not worth a look."""
    parts = 0
    pending = [schema]
    while pending and parts <= _MAX_PARTS:
        part = pending.pop()
        parts += 1
        if isinstance(part, dict):
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)
    return parts <= _MAX_PARTS


def _copied(schema: object, depth: int) -> object:
    if schema == [] and isinstance(schema, list):
        return {}
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return schema
    return {key: _plain(key, value, depth + 1) for key, value in schema.items() if value is not None or key in _VALUES}


def _plain(key: str, value: Any, depth: int) -> object:  # noqa: ANN401 - any JSON
    if key == "type":
        return _plain_type(value)
    if key in _NAMED_SCHEMAS:
        named: Mapping[str, object] = {} if value == [] else value
        if not isinstance(named, dict):
            return value
        return {name: _copied(each, depth) for name, each in named.items() if each is not None}
    if key in _SCHEMAS and isinstance(value, list) and (value or key in _LISTS):
        return [_copied(each, depth) for each in value]
    return _copied(value, depth) if key in _SCHEMAS else value


def _plain_type(value: object) -> object:
    if isinstance(value, list):
        return [_plain_type(each) for each in value]
    return value.lower() if isinstance(value, str) and value.isupper() else value
