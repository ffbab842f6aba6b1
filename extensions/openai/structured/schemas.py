"""JSON schemas as clients write them → as JSON Schema has them: empty lists of PHP where objects belong, nulls where
nothing is said, type names in capitals. Pure."""

from collections.abc import Mapping
from typing import Any, Final

Schema = dict[str, Any]

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
