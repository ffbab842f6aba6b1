"""Single values out of a conversation's JSON, each of the type that it must have; null counts as absent."""

from collections.abc import Mapping
from typing import Final

from modules.errors import BadRequest

_LARGEST: Final = 2**53


def mapping_at(content: Mapping[str, object], key: str, place: str) -> Mapping[str, object]:
    """Raises BadRequest, as all of these do."""
    value = content.get(key)
    if value is None:
        return {}
    return as_object(value, f"{place}: `{key}`")


def list_at(content: Mapping[str, object], key: str, place: str) -> list[object]:
    value = content.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequest(f"{place}: `{key}` must be a list.")
    return value


def objects_at(content: Mapping[str, object], key: str, place: str) -> list[Mapping[str, object]]:
    return [as_object(each, f"{place}: an entry of `{key}`") for each in list_at(content, key, place)]


def number_at(content: Mapping[str, object], key: str, place: str) -> float:
    """0 where there is none."""
    value = content.get(key)
    if value is None:
        return 0
    if not isinstance(value, int | float) or not -_LARGEST < value < _LARGEST:
        raise BadRequest(f"{place}: `{key}` must be a number.")
    return value


def as_object(value: object, place: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise BadRequest(f"{place} must be a JSON object.")
    return value


def without(content: Mapping[str, object], *known: str) -> dict[str, object]:
    return {key: value for key, value in content.items() if key not in known}


def filled(content: Mapping[str, object]) -> dict[str, object]:
    """Without what is empty or 0."""
    return {key: value for key, value in content.items() if value}
