"""JSON schemas → what llguidance enforces: nothing is ignored that could make a reply invalid.

llguidance refuses the assertions it lacks by itself. Keywords that JSON Schema does not know are annotations (JSON
Schema Core 2020-12, section 6.5), and so are formats it does not define, like OpenAPI's "password" or "int32". Objects
with named properties get no others unless their schema says so: what is written is then valid either way, and a model
in doubt does not invent properties until its tokens run out.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeAlias

from modules.engine.constraints.failures import Unenforceable
from modules.engine.constraints.schema_walk import MAX_NODES, has_instance, subschemas

Schema: TypeAlias = dict[str, Any]

# One line, at most one space after a comma or colon: small models at high temperatures get lost in white space.
WHITESPACE: Final[Schema] = {
    "whitespace_flexible": False,
    "item_separator": ", ?",
    "key_separator": ": ?",
    "lenient": False,
    "coerce_one_of": False,
}
# llguidance reads its own options from this key of a schema.
_OPTIONS_KEY: Final = "x-guidance"
_MAX_CHARACTERS: Final = 512 * 1024
# Each pattern is an automaton that is built before the first token.
_MAX_PATTERNS: Final = 64
_MAX_JOINED_PATTERNS: Final = 12  # to meet all of them takes llguidance exponential time
_UNENFORCED_FORMATS: Final = frozenset(
    {
        "idn-email",
        "idn-hostname",
        "iri",
        "iri-reference",
        "json-pointer",
        "regex",
        "relative-json-pointer",
        "uri-reference",
        "uri-template",
    }
)
_ENFORCED_FORMATS: Final = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"}
)
# RFC 3339 has leap seconds, small letters and endless fractions, too, which most programs cannot read.
_TIME: Final = r"[0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-][0-9:]{5})"
_FOURTH: Final = "(0[48]|[2468][048]|[13579][26])"
_DATE: Final = (
    "(([0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
    "-((0[13-9]|1[0-2])-[0-3][0-9]|02-([01][0-9]|2[0-8]))"
    f"|([0-9]{{2}}{_FOURTH}|{_FOURTH}00)-02-29)"
)
_NARROWER_PATTERNS: Final[Mapping[str, str]] = {
    "date": f"^{_DATE}$",
    "date-time": f"^{_DATE}T{_TIME}$",
    "time": f"^{_TIME}$",
}
_HARMLESS: Final[Mapping[str, object]] = {
    "uniqueItems": False,
    "unevaluatedItems": True,
    "unevaluatedProperties": True,
    "minContains": 0,
}
_APPLICATORS: Final = ("$ref", "allOf", "anyOf", "oneOf")
_OBJECT_ASSERTIONS: Final = ("properties", "required", "additionalProperties", "patternProperties")


def read_schema(text: str) -> Schema:
    """A schema of the same meaning, or a stricter one, that says everything llguidance has to know; `text` is JSON.

    Raises Unenforceable for what is no schema, too large, or has no finite instance.
    """
    if len(text) > _MAX_CHARACTERS:
        raise Unenforceable(f"The schema is longer than {_MAX_CHARACTERS} characters.")
    try:
        return strict_schema(json.loads(text))
    except ValueError:
        raise Unenforceable("The schema is no JSON.") from None
    except RecursionError:
        raise Unenforceable("The schema is nested too deeply.") from None


def strict_schema(schema: object) -> Schema:
    """The same for a schema that is parsed already."""
    if schema is True:
        schema = {}
    if not isinstance(schema, dict):
        raise Unenforceable("A schema must be an object; no reply could match this one.")
    _check_size(schema)
    if not has_instance(schema):
        raise Unenforceable("The schema has no finite instance: it requires itself.")
    closes = not any(_merges(each) for each in subschemas(schema))
    return {_OPTIONS_KEY: WHITESPACE, **_stricter(schema, closes=closes)}


def _check_size(schema: Schema) -> None:
    if sum(1 for _ in islice(subschemas(schema), MAX_NODES + 1)) > MAX_NODES:
        raise Unenforceable(f"The schema has more than {MAX_NODES} parts.")
    if _patterns(schema) > _MAX_PATTERNS:
        raise Unenforceable(f"The schema has more than {_MAX_PATTERNS} patterns.")
    joined = (each for each in subschemas(schema) if "allOf" in each)
    if _patterns(schema) > _MAX_JOINED_PATTERNS and any(_patterns(each) > _MAX_JOINED_PATTERNS for each in joined):
        raise Unenforceable(f"An allOf of the schema has more than {_MAX_JOINED_PATTERNS} patterns.")


def _patterns(schema: Schema) -> int:
    return sum(("pattern" in each) + len(_mapping(each, "patternProperties")) for each in subschemas(schema))


def _mapping(schema: Schema, key: str) -> Schema:
    value = schema.get(key)
    return value if isinstance(value, dict) else {}


def _merges(schema: Schema) -> bool:
    """True where objects are put together from parts: a part that allowed no others would then forbid the rest."""
    applied = [name for name in _APPLICATORS if name in schema]
    parts = schema.get("allOf")
    return (
        len(applied) > 1
        or (isinstance(parts, list) and len(parts) > 1)
        or (bool(applied) and any(name in schema for name in _OBJECT_ASSERTIONS))
    )


def _stricter(schema: Schema, *, closes: bool) -> Schema:
    """A copy in which every subschema, wherever it stands, is made explicit."""
    return {key: _stricter_value(key, value, closes=closes) for key, value in _explicit(schema, closes=closes)}


def _stricter_value(key: str, value: object, *, closes: bool) -> object:
    if key in ("enum", "const", "default", "examples", "example", "required"):
        return value
    if isinstance(value, dict):
        if key in ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"):
            return {name: _stricter_value("", each, closes=closes) for name, each in value.items()}
        return _stricter(value, closes=closes)
    if isinstance(value, list):
        return [_stricter_value("", each, closes=closes) for each in value]
    return value


def _explicit(schema: Schema, *, closes: bool) -> Iterator[tuple[str, Any]]:
    for key, value in schema.items():
        is_harmless = key in _HARMLESS and value == _HARMLESS[key] and isinstance(value, type(_HARMLESS[key]))
        if key == _OPTIONS_KEY or is_harmless or (key == "format" and not _is_enforced(value)):
            continue
        yield key, value
    narrower = _NARROWER_PATTERNS.get(str(schema.get("format")))
    if narrower is not None and "pattern" not in schema:
        yield "pattern", narrower
    if closes and _is_closed_by_its_names(schema):
        yield "additionalProperties", False


def _is_enforced(format_: object) -> bool:
    if isinstance(format_, str) and format_ in _UNENFORCED_FORMATS:
        raise Unenforceable(f"The format {format_!r} cannot be enforced. Leave it out, or give a pattern.")
    return not isinstance(format_, str) or format_ in _ENFORCED_FORMATS


def _is_closed_by_its_names(schema: Schema) -> bool:
    named, required, least = (schema.get(key) for key in ("properties", "required", "minProperties"))
    if not isinstance(named, dict) or not named or any(key in schema for key in _OBJECT_ASSERTIONS[2:]):
        return False
    asks_for_others = isinstance(required, list) and not all(
        isinstance(name, str) and name in named for name in required
    )
    return not asks_for_others and not (isinstance(least, int) and least > len(named))
