"""Requests drawn from the API's own OpenAPI document: bodies that fit its schemas, with some values that do not."""

import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter
from fastapi.routing import APIRoute
from hypothesis import strategies as st

Schema = Mapping[str, Any]

_MOST_PROPERTIES: Final = 5
_MOST_ITEMS: Final = 3
_DEEPEST: Final = 7
# One value of so many is of a kind that nobody asked for.
_WRONG_ONE_OF: Final = 12
# What the scripted model says to these is short, and breaks nothing.
_TEXTS: Final = (
    "echo: hello", "count 3", "", " ", "a", "é🙂", "\0", "\ud800", "<|im_end|>", "{{ 1 }}", "../../etc/passwd", "null", "x" * 600,
    "data:image/png;base64,AAAA", "http://127.0.0.1:9/", "root ::= \"a\"", "[0-9]+", "auto", "none", "1", "-1", "1e999", "\u2028",
)  # fmt: skip
_WRONG: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**31, -(2**63), 2**70, 0.5, math.nan, math.inf, -math.inf, "", "text", "\ud800", [], [[]], [None],
    {}, {"": {}}, {"type": "text"}, {"a": {"b": [{"c": None}]}}, [1, "a", None, {}], "x" * 3000, ["x"] * 300,
)  # fmt: skip
_IN_QUERIES: Final = ("", "a", "0", "1", "-1", "5", "1e999", "true", "desc", "null", "\0", "é", "<|im_end|>", "x" * 600)
_IDS: Final = ("resp_none", "conv_none", "", ".", "..", "%2e%2e%2f", "a/b", "é", "x" * 500, "0", "%00", "null")


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path; `schema` is that of its JSON body, None where the document has none."""

    method: str
    path: str
    schema: Schema | None
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Asked:
    """`path` is filled in; `body` None means that none is sent."""

    path: str
    query: Mapping[str, str]
    body: Any


def operations(routers: Sequence[APIRouter], document: Schema) -> list[Operation]:
    """All their routes, with those that `document` leaves out."""
    found = []
    for route in (route for router in routers for route in router.routes if isinstance(route, APIRoute)):
        for method in sorted(route.methods or ()):
            told = document["paths"].get(route.path_format, {}).get(method.lower(), {})
            content = told.get("requestBody", {}).get("content", {}).get("application/json", {})
            names = tuple(each["name"] for each in told.get("parameters", ()) if each["in"] == "query")
            found.append(Operation(method, route.path_format, content.get("schema"), names))
    return found


def requests_of(document: Schema, operation: Operation, ids: tuple[str, ...]) -> st.SearchStrategy[Asked]:
    """`ids` are of things that exist, for the places in paths."""
    places = st.sampled_from((*_IDS, *ids, *ids, *ids))
    fields = [name for _, name, _, _ in string.Formatter().parse(operation.path) if name]
    filled = st.fixed_dictionaries(dict.fromkeys(fields, places)).map(
        lambda values: operation.path.format_map({name: values[name] for name in values})
    )
    query = st.dictionaries(
        st.sampled_from(operation.names or ("unknown",)),
        st.sampled_from(_IN_QUERIES),
        max_size=2,
    )
    body: st.SearchStrategy[Any] = st.none()
    if operation.schema is not None:
        body = values(operation.schema, document["components"]["schemas"])
    elif operation.method in {"POST", "PUT", "PATCH"}:
        body = st.one_of(st.none(), st.sampled_from(_WRONG))
    return st.builds(Asked, filled, query, body)


def values(schema: Schema, named: Mapping[str, Schema]) -> st.SearchStrategy[Any]:
    """JSON values that mostly fit `schema`, whose references are looked up in `named`."""

    @st.composite
    def drawn(draw: st.DrawFn) -> Any:
        return _value(draw, schema, named, _DEEPEST)

    return drawn()


def _value(draw: st.DrawFn, schema: Schema, named: Mapping[str, Schema], depth: int) -> Any:
    if draw(st.integers(1, _WRONG_ONE_OF)) == _WRONG_ONE_OF or depth == 0:
        return draw(st.sampled_from(_WRONG))
    if "$ref" in schema:
        return _value(draw, named[schema["$ref"].rpartition("/")[2]], named, depth)
    if several := [choice for key in ("anyOf", "oneOf", "allOf") for choice in schema.get(key, ())]:
        return _value(draw, draw(st.sampled_from(several)), named, depth - 1)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    return _of_type(draw, schema, named, depth)


def _of_type(draw: st.DrawFn, schema: Schema, named: Mapping[str, Schema], depth: int) -> Any:
    match schema.get("type"):
        case "object":
            return _object(draw, schema, named, depth)
        case "array":
            count = draw(st.integers(0, _MOST_ITEMS))
            return [_value(draw, schema.get("items", {}), named, depth - 1) for _ in range(count)]
        case "integer" | "number" as kind:
            return _number(draw, schema, whole=kind == "integer")
        case kind:
            simple = {"boolean": (False, True), "string": _TEXTS, "null": (None,)}
            return draw(st.sampled_from(simple.get(str(kind), (*_WRONG, *_TEXTS))))


def _object(draw: st.DrawFn, schema: Schema, named: Mapping[str, Schema], depth: int) -> dict[str, Any]:
    """What is required nearly always, a few other properties, and now and then one that does not exist."""
    properties: Mapping[str, Schema] = schema.get("properties", {})
    required = [name for name in schema.get("required", ()) if name in properties]
    if draw(st.integers(1, _WRONG_ONE_OF)) == _WRONG_ONE_OF:
        required = required[1:]
    others = sorted(set(properties) - set(required))
    chosen = draw(st.lists(st.sampled_from(others), max_size=_MOST_PROPERTIES, unique=True)) if others else []
    found = {name: _value(draw, properties[name], named, depth - 1) for name in (*required, *chosen)}
    if isinstance(more := schema.get("additionalProperties"), Mapping):
        found |= {
            name: _value(draw, more, named, depth - 1) for name in draw(st.lists(st.sampled_from(_TEXTS), max_size=2))
        }
    elif draw(st.integers(1, _WRONG_ONE_OF)) == _WRONG_ONE_OF:
        found["unheard_of"] = draw(st.sampled_from(_WRONG))
    return found


def _number(draw: st.DrawFn, schema: Schema, *, whole: bool) -> float:
    least = schema.get("minimum", schema.get("exclusiveMinimum", -2))
    most = schema.get("maximum", schema.get("exclusiveMaximum", 2**31))
    number: float = draw(st.sampled_from((least, most, least - 1, most + 1, 0, 1, 2, 5, 20, (least + most) / 2)))
    return int(number) if whole else number
