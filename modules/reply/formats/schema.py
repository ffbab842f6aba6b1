"""What a tool's JSON schema says of one value, as far as reading that value needs it."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

_COMPOSITIONS = ("allOf", "anyOf", "oneOf", "$ref")
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
