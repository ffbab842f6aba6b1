"""Walks JSON schemas: their parts, their references, and whether anything finite can match."""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from modules.engine.constraints.failures import Unenforceable

Schema: TypeAlias = dict[str, Any]
# More than any tool's schema has; each node becomes rules of the grammar.
MAX_NODES: Final = 10_000
_MAX_DEPTH: Final = 100
_MAX_REFERENCES: Final = 1000
# Keywords whose values are data, in which a name like a keyword means nothing.
_NO_SCHEMAS: Final = frozenset({"const", "default", "enum", "example", "examples", "required", "type"})


def subschemas(schema: Schema) -> Iterator[Schema]:
    """`schema` and every object in it that may be a schema. Raises Unenforceable beyond 100 levels."""
    stack: list[tuple[object, int]] = [(schema, 0)]
    while stack:
        part, depth = stack.pop()
        if depth > _MAX_DEPTH:
            raise Unenforceable(f"The schema is nested more than {_MAX_DEPTH} levels deep.")
        if isinstance(part, dict):
            yield part
            stack += [(value, depth + 1) for key, value in part.items() if key not in _NO_SCHEMAS]
        elif isinstance(part, list):
            stack += [(value, depth + 1) for value in part]


def has_instance(schema: Schema) -> bool:
    """False for a schema that only an endless text could match. Raises Unenforceable for too many references."""
    return _Finiteness(schema).of_root()


def resolve(root: Schema, reference: str) -> object:
    """What a JSON pointer of this document points at (RFC 6901); None where it is none, or points nowhere."""
    if not reference.startswith("#"):
        return None
    part: object = root
    for step in reference.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(part, dict):
            part = part.get(name)
        elif isinstance(part, list) and name.isdecimal() and int(name) < len(part):
            part = part[int(name)]
        else:
            return None
    return part


class _Finiteness:
    """A least fixed point: a reference counts as finite once its target was found to be."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._finite: set[str] = set()
        self._asked: set[str] = set()

    def of_root(self) -> bool:
        while True:
            known = len(self._finite)
            self._asked.clear()
            if self._of(self._root):
                return True
            if len(self._finite) == known:
                return False

    def _of(self, schema: object) -> bool:
        if not isinstance(schema, dict):
            return schema is not False
        if "const" in schema or "enum" in schema:
            return True
        return (
            self._of_reference(schema.get("$ref"))
            and all(self._of(part) for part in _listed(schema, "allOf"))
            and all(any(self._of(part) for part in _listed(schema, key)) for key in ("anyOf", "oneOf") if key in schema)
            and self._of_some_type(schema)
        )

    def _of_reference(self, reference: object) -> bool:
        if not isinstance(reference, str) or reference in self._finite:
            return True
        if reference in self._asked:
            return False
        self._asked.add(reference)
        if len(self._asked) > _MAX_REFERENCES:
            raise Unenforceable(f"The schema has more than {_MAX_REFERENCES} references.")
        target = resolve(self._root, reference)
        if target is None or self._of(target):
            self._finite.add(reference)
            return True
        return False

    def _of_some_type(self, schema: Schema) -> bool:
        types = schema.get("type")
        named = [types] if isinstance(types, str) else types
        if not isinstance(named, list) or any(name not in ("object", "array") for name in named):
            return True
        return ("object" in named and self._of_object(schema)) or ("array" in named and self._of_array(schema))

    def _of_object(self, schema: Schema) -> bool:
        properties = schema.get("properties")
        required = schema.get("required")
        if not isinstance(properties, dict) or not isinstance(required, list):
            return True
        return all(self._of(properties.get(name)) for name in required if isinstance(name, str))

    def _of_array(self, schema: Schema) -> bool:
        least = schema.get("minItems")
        if not isinstance(least, int) or least < 1:
            return True
        first = _listed(schema, "prefixItems") or _listed(schema, "items")
        rest = schema.get("items")
        needs_rest = least > len(first) and isinstance(rest, dict)
        return all(self._of(part) for part in first[:least]) and (not needs_rest or self._of(rest))


def _listed(schema: Schema, key: str) -> list[Any]:
    value = schema.get(key)
    return value if isinstance(value, list) else []
