"""JSON schemas as zod, pydantic and other generators write them → schemas the engine enforces. Pure.

What means the same in other keywords is put into those. A keyword that only narrows, and that nothing here can enforce, is
dropped and named, unless the caller relies on the whole schema (`strict`): then it stays, and the engine refuses it. Formats
are annotations (JSON Schema Validation 2020-12, section 7), which no validation relies on; they are dropped either way.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from extensions.openai.structured.schemas import are_disjoint, has_sane_size, with_names_enforced

Schema = dict[str, Any]

# Bounds the recursion: Python's stack ends at a thousand calls.
_MAX_DEPTH: Final = 100
# The names go into a header, which has to stay short.
_MAX_NAMED: Final = 20
# Keywords whose values hold schemas: by name, in a list, or a single one.
_NAMED: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
_LISTED: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SINGLE: Final = frozenset(
    {"additionalItems", "additionalProperties", "contains", "items", "not", "unevaluatedItems"}
) | {"unevaluatedProperties"}
_COUNTS: Final = frozenset({"maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties"})
# Each of these only says less may be written than the rest of the schema allows.
_NARROWING: Final = frozenset(
    {
        "contains",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "if",
        "maxContains",
        "minContains",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
        "uniqueItems",
    }
)
# Formats that llguidance does not know, and refuses a schema for.
_ANNOTATED_FORMATS: Final = frozenset(
    {"idn-email", "idn-hostname", "iri", "iri-reference", "json-pointer", "regex", "relative-json-pointer"}
    | {"uri-reference", "uri-template"}
)
_ENFORCED_FORMATS: Final = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"}
)
# With one of these a property may be defined elsewhere than in `properties`.
_APPLICATORS: Final = frozenset({"$ref", "allOf", "anyOf", "dependentSchemas", "if", "oneOf"})
# A schema without any of these holds a reply to nothing.
_ASSERTIONS: Final = (
    _APPLICATORS
    | {"additionalProperties", "const", "enum", "items", "patternProperties"}
    | {
        "prefixItems",
        "properties",
        "required",
        "type",
    }
)
# Look-around, word boundaries and references back: what a finite automaton cannot do.
_BEYOND_REGULAR: Final = re.compile(r"\(\?<?[=!]|(?<!\\)(?:\\\\)*\\(?:[bBk]|[1-9])")
# Patterns of generators, and the same without look-ahead.
_REGULAR: Final[Mapping[str, str]] = MappingProxyType(
    {
        # zod's z.email()
        r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$": (
            r"^([A-Za-z0-9_'+\-]+\.)*[A-Za-z0-9_'+\-]*[A-Za-z0-9_+\-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$"
        ),
        # pydantic's Decimal
        r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$": r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)$",
    }
)
# Names of properties are the caller's and may not fit into a header.
_SHOWN_NAME: Final = re.compile(r"[A-Za-z0-9_$-]{1,64}")


@dataclass(frozen=True, slots=True)
class Enforceable:
    """`dropped` are the paths, within the schema, of what the reply is not held to."""

    schema: Any
    dropped: tuple[str, ...] = ()


def enforceable(schema: object, *, strict: bool) -> Enforceable:
    """`schema` may be anything: what is no schema is for the engine to refuse."""
    if not has_sane_size(schema):
        return Enforceable(schema)
    reading = _Reading(strict)
    read = reading.schema(schema, ())
    if reading.dropped and isinstance(read, dict) and not read.keys() & _ASSERTIONS:
        # Nothing would be left to hold the reply to.
        return Enforceable(schema)
    return Enforceable(read, tuple(dict.fromkeys(reading.dropped))[:_MAX_NAMED])


class _Reading:
    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self.dropped: list[str] = []

    def schema(self, schema: object, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON
        if not isinstance(schema, dict) or len(path) > _MAX_DEPTH:
            return schema
        if _is_never(schema):
            return False
        node = self._with_any_of(with_names_enforced(_in_other_words(schema)), path)
        return {
            key: self._part(key, value, (*path, key)) for key, value in node.items() if not self._drops(key, node, path)
        }

    def _with_any_of(self, node: Schema, path: tuple[str, ...]) -> Schema:
        """One of several that could be valid at once is any of them, less the values that are valid for two."""
        parts = node.get("oneOf")
        if self._strict or not isinstance(parts, list) or "anyOf" in node or are_disjoint(parts):
            return node
        self._name("oneOf", path)
        return {("anyOf" if key == "oneOf" else key): value for key, value in node.items()}

    def _name(self, key: str, path: tuple[str, ...]) -> None:
        self.dropped.append(".".join(name if _SHOWN_NAME.fullmatch(name) else "?" for name in (*path, key)))

    def _part(self, key: str, value: Any, path: tuple[str, ...]) -> object:  # noqa: ANN401 - any JSON
        if key in _NAMED and isinstance(value, dict):
            return {name: self.schema(each, (*path, str(name))) for name, each in value.items()}
        if key in _LISTED and isinstance(value, list):
            parts = [self.schema(each, (*path, str(number))) for number, each in enumerate(value)]
            possible = [part for part in parts if part is not False]
            # An alternative that nothing can satisfy only makes the engine refuse the schema.
            return possible if key in ("anyOf", "oneOf") and possible else parts
        return self.schema(value, path) if key in _SINGLE else value

    def _drops(self, key: str, node: Schema, path: tuple[str, ...]) -> bool:
        if _asks_nothing(key, node):
            return True
        is_annotation = key == "format" and node[key] in _ANNOTATED_FORMATS
        is_pattern = key == "pattern" and isinstance(node[key], str) and _BEYOND_REGULAR.search(node[key]) is not None
        has_format = is_pattern and node.get("format") in _ENFORCED_FORMATS
        narrows = key in _NARROWING or is_pattern
        if not (is_annotation or has_format or (narrows and not self._strict)):
            return False
        self._name(key, path)
        return True


def _is_never(schema: Schema) -> bool:
    """zod's z.never()."""
    return schema.get("not") in ({}, True) and isinstance(schema["not"], dict | bool)


def _asks_nothing(key: str, node: Schema) -> bool:
    asks_nothing = _SILENT.get(key)
    return asks_nothing is not None and asks_nothing(node)


def _is_empty(key: str) -> Callable[[Schema], bool]:
    return lambda node: node[key] is True or node[key] == {}


# When a keyword says nothing, by the schema that it stands in.
_SILENT: Final[Mapping[str, Callable[[Schema], bool]]] = MappingProxyType(
    {
        "contains": lambda node: node.get("minContains") == 0 and "maxContains" not in node,
        "dependencies": _is_empty("dependencies"),
        "dependentRequired": _is_empty("dependentRequired"),
        "dependentSchemas": _is_empty("dependentSchemas"),
        "else": lambda node: "if" not in node,
        "if": lambda node: "then" not in node and "else" not in node,
        "maxContains": lambda node: "contains" not in node,
        "minContains": lambda node: "contains" not in node or (node["minContains"] == 0 and "maxContains" not in node),
        "not": lambda node: node["not"] is False,
        "propertyNames": _is_empty("propertyNames"),
        "then": lambda node: "if" not in node,
        "unevaluatedItems": _is_empty("unevaluatedItems"),
        "unevaluatedProperties": _is_empty("unevaluatedProperties"),
        "uniqueItems": lambda node: node["uniqueItems"] is False or node.get("maxItems") in (0, 1),
    }
)


def _in_other_words(schema: Schema) -> Schema:
    """With the keywords that the engine has in place of those that mean the same."""
    node = dict(_renamed(schema))
    is_whole = not any(key in node for key in _APPLICATORS)
    if node.get("unevaluatedProperties") is False and is_whole and "additionalProperties" not in node:
        node = {**node, "additionalProperties": False, "unevaluatedProperties": True}
    if node.get("unevaluatedItems") is False and is_whole and "items" not in node:
        node = {**node, "items": False, "unevaluatedItems": True}
    if node.get("type") == "any":
        # Not a type of JSON Schema, but some generators write it for no restriction.
        del node["type"]
    return node


def _renamed(schema: Schema) -> Iterator[tuple[str, Any]]:
    for key, value in schema.items():
        # Within one document they lead where $ref would.
        if key in ("$dynamicRef", "$recursiveRef") and "$ref" not in schema:
            yield "$ref", value
        elif key == "$dynamicAnchor" and "$anchor" not in schema:
            yield "$anchor", value
        elif key == "$recursiveAnchor":
            continue
        elif key == "pattern" and isinstance(value, str):
            yield key, _REGULAR.get(value, value)
        # JavaScript and PHP may write a whole number as 1.0.
        elif key in _COUNTS and isinstance(value, float) and value.is_integer():
            yield key, int(value)
        else:
            yield key, value
