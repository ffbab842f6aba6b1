"""Whether the alternatives of a `oneOf` exclude each other, so that it means the same as `anyOf`. Pure."""

import json
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, Final

Schema = dict[str, Any]
_MAX_PARTS: Final = 64


def are_disjoint(parts: Sequence[object]) -> bool:
    """True only where it can be seen at once: by type, by listed values, or by a required property that tells them apart,
    as generators write a union with a discriminator."""
    if len(parts) > _MAX_PARTS:
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
