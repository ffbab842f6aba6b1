"""The offered tools: names, what their schemas ask of a value, and single values as JSON."""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from modules.messages import ToolSpec

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"(-?(?:0|[1-9]\d*))(?:\.0+)?", re.ASCII)
# What Python reads as a number, and models write of JSON's: 07, .5, 1., +5, 1_000, 0x1F.
_LOOSE_NUMBER = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<based>0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+)"
    r"|(?P<whole>\d[\d_]*)?(?:(?P<point>\.)(?P<part>\d[\d_]*)?)?(?P<power>[eE][+-]?\d+)?)",
    re.ASCII,
)
# Python refuses to convert integers of more than 4300 digits, and no tool takes one.
_MAX_DIGITS = 1000
_LITERALS = {"true": "true", "True": "true", "false": "false", "False": "false", "null": "null", "None": "null"}


def quoted(text: str) -> str:
    """`text` as a JSON string."""
    return json.dumps(text, ensure_ascii=False)


def escaped(text: str) -> str:
    """`text` as it stands between the quotes of a JSON string."""
    return quoted(text)[1:-1]


def scalar_of_text(text: str, types: frozenset[str]) -> str | None:
    """The JSON of the number, boolean or null of one of `types` that `text` says; None if it says no such thing."""
    literal = _LITERALS.get(text)
    if literal is not None:
        return literal if ("null" if literal == "null" else "boolean") in types else None
    integer = _INTEGER.fullmatch(text) if "integer" in types else None
    if integer is not None:
        # 1.0 is an integer to JSON Schema, but not to most programs that read the arguments.
        return integer[1]
    return text if "number" in types and _NUMBER.fullmatch(text) else None


def scalar_of_token(token: str, types: frozenset[str]) -> str | None:
    """The JSON of a bare `token` of a JSON or Python text, in one of `types` where that changes no more than how it is
    written; None if it is neither a number nor a literal."""
    fitting = scalar_of_text(token, types)
    if fitting is not None:
        return fitting
    plain = _LITERALS.get(token) or _number(token)
    if plain is None or plain == "null" or "string" not in types:
        return scalar_of_text(plain, types) or plain if plain else None
    # A zip code or a version written without quotes keeps its digits as text.
    return quoted(token)


def _number(text: str) -> str | None:
    """The number that `text` says, as JSON; None if it says none."""
    if _NUMBER.fullmatch(text):
        return text
    found = _LOOSE_NUMBER.fullmatch(text) if len(text) <= _MAX_DIGITS else None
    if found is None:
        return None
    sign = "-" if found["sign"] == "-" else ""
    if found["based"]:
        digits = found["based"].replace("_", "")
        return f"{sign}{int(digits, 0)}" if len(digits) > len("0x") else None
    if not found["whole"] and not found["part"]:
        return None
    whole = (found["whole"] or "").replace("_", "").lstrip("0") or "0"
    part = f".{(found['part'] or '0').replace('_', '')}" if found["point"] else ""
    return f"{sign}{whole}{part}{found['power'] or ''}"


_COMPOSITIONS = ("allOf", "anyOf", "oneOf", "$ref")
_DEFINITIONS = ("$defs", "definitions")
# References may form a circle.
_MAX_REFERENCES = 16
_TYPE_NAMES: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


class Schema:
    """One place in a schema whose whole is `root` (which its references point into)."""

    def __init__(self, node: object, root: object = None) -> None:
        self._node: dict[str, Any] = node if isinstance(node, dict) else {}
        self._root: dict[str, Any] = root if isinstance(root, dict) else self._node

    @cached_property
    def types(self) -> frozenset[str]:
        """The JSON types that a value may have; empty where any may, or nothing is said."""
        kinds: set[str] = set()
        for node in self._parts:
            own = _own_types(node)
            # One alternative that says nothing of types allows any.
            if not own and not any(key in node for key in _COMPOSITIONS):
                return frozenset()
            kinds |= own
        return frozenset(kinds)

    @property
    def takes_text(self) -> bool:
        """Whether every value that is written as text is that text."""
        return self.types == {"string"}

    @property
    def node(self) -> dict[str, Any]:
        """This place as a schema of its own: with the definitions that its references may point at."""
        definitions = {key: self._root[key] for key in _DEFINITIONS if key in self._root}
        return {**definitions, **self._node} if _has_reference(self._node) else self._node

    @property
    def choices(self) -> tuple[object, ...]:
        """The only values there are, where the schema lists them."""
        if "const" in self._node:
            return (self._node["const"],)
        values = self._node.get("enum")
        return tuple(values) if isinstance(values, list) else ()

    @property
    def members(self) -> dict[str, "Schema"]:
        """What is said of each named property of an object, in the schema's order."""
        nodes = [part["properties"] for part in self._parts if isinstance(part.get("properties"), dict)]
        return {name: Schema(node, self._root) for nodes_of in reversed(nodes) for name, node in nodes_of.items()}

    @property
    def required(self) -> frozenset[str]:
        """Properties that an object must have, whichever of the schema's alternatives it follows."""
        names = self.referred._node.get("required")
        return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()

    @property
    def referred(self) -> "Schema":
        """The place that this one is a mere reference to, or else this one."""
        place = self
        for _ in range(_MAX_REFERENCES):
            target = _resolved(place._node.get("$ref"), self._root)
            if not isinstance(target, dict):
                break
            place = Schema(target, self._root)
        return place

    @property
    def alternatives(self) -> tuple["Schema", ...]:
        """The schemas that it is any or one of; empty where it is not put together in this way."""
        parts = self._node.get("anyOf") or self._node.get("oneOf")
        return tuple(Schema(part, self._root) for part in parts) if isinstance(parts, list) else ()

    def member(self, name: str) -> "Schema":
        for node in self._parts:
            properties = node.get("properties")
            if isinstance(properties, dict) and name in properties:
                return Schema(properties[name], self._root)
        return self._first("additionalProperties")

    @property
    def items(self) -> "Schema":
        return self._first("items")

    def _first(self, key: str) -> "Schema":
        return Schema(next((part[key] for part in self._parts if isinstance(part.get(key), dict)), {}), self._root)

    @cached_property
    def _parts(self) -> tuple[dict[str, Any], ...]:
        """The node and every node it is made of, each once, however they refer to each other."""
        seen: dict[int, dict[str, Any]] = {}
        pending: list[object] = [self._node]
        while pending:
            node = pending.pop()
            if isinstance(node, dict) and id(node) not in seen:
                seen[id(node)] = node
                pending.extend(_components(node, self._root))
        return tuple(seen.values())


def _own_types(node: dict[str, Any]) -> frozenset[str]:
    # OpenAPI 3.0's way to say null, which many generators still write.
    also = {"null"} if node.get("nullable") is True else set()
    match node:
        case {"type": str(kind)}:
            return frozenset({kind, *also})
        case {"type": [*kinds]}:
            return frozenset(kind for kind in kinds if isinstance(kind, str))
        case {"enum": [*values]}:
            return frozenset(_TYPE_NAMES.get(type(value), "object") for value in values)
        case {"const": value}:
            return frozenset({_TYPE_NAMES.get(type(value), "object")})
    return frozenset()


def _components(node: dict[str, Any], root: dict[str, Any]) -> Iterator[object]:
    for key in ("allOf", "anyOf", "oneOf"):
        parts = node.get(key)
        yield from reversed(parts) if isinstance(parts, list) else ()
    yield _resolved(node.get("$ref"), root)


def _resolved(reference: object, root: dict[str, Any]) -> object:
    """What the local `reference` (`#/a/b`) points at; None for any other."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    node: object = root
    for key in reference[1:].split("/")[1:]:
        # JSON Pointer (RFC 6901): in this order, or `~01` would become a slash.
        node = node.get(key.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
    return node


def _has_reference(node: object) -> bool:
    pending = [node]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            if "$ref" in each:
                return True
            pending.extend(each.values())
        elif isinstance(each, list):
            pending.extend(each)
    return False


_CUSTOM: dict[str, Any] = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}
# Keywords that say nothing of what else an object without named properties may hold.
_NAMELESS = frozenset({"type", "properties", "required", "title", "description", "$schema"})
_NOTHING: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


class OfferedTools:
    """Names of offered functions, and what each takes."""

    def __init__(self, tools: Sequence[ToolSpec]) -> None:
        self._schemas = {tool.name: Schema(parameters_of(tool)) for tool in tools}
        self.names = tuple(self._schemas)

    def __contains__(self, name: str) -> bool:
        return name in self._schemas

    def schema(self, name: str) -> Schema:
        return self._schemas[name]


def parameters_of(tool: ToolSpec) -> dict[str, Any]:
    """The schema of the tool's arguments: that of no arguments where the tool has none of its own, or names none."""
    if tool.is_custom:
        return _CUSTOM
    names_none = tool.parameters is not None and tool.parameters.get("properties") == {}
    if not tool.parameters or (names_none and _NAMELESS.issuperset(tool.parameters)):
        return _NOTHING
    return tool.parameters
