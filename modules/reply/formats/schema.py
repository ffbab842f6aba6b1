"""What a tool's JSON schema says of one value, as far as reading that value needs it."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

_COMPOSITIONS = ("allOf", "anyOf", "oneOf", "$ref")
_DEFINITIONS = ("$defs", "definitions")
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
