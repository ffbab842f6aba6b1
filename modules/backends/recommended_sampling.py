"""The sampling parameters that the makers of a model recommend."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

Recommended: TypeAlias = tuple[tuple[str, int | float], ...]

# Fields of `Sampling`, whose names are those of generation_config.json, with the bounds of what can be meant.
_BOUNDS: Final = MappingProxyType(
    {
        "temperature": (0, 100),
        "top_p": (0, 1),
        "top_k": (0, 2**31 - 1),
        "min_p": (0, 1),
        "repetition_penalty": (0.01, 100),
    }
)
_WHOLE: Final = frozenset(("top_k",))


def recommended_sampling(stated: Mapping[str, object]) -> Recommended:
    """What a file states, by the names of the fields. What can be no such value is left out."""
    found = ((name, stated.get(name)) for name in _BOUNDS)
    return tuple((name, _number(name, value)) for name, value in found if _is_meant(name, value))


def _is_meant(name: str, value: object) -> bool:
    least, most = _BOUNDS[name]
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _number(name: str, value: object) -> int | float:
    assert isinstance(value, int | float)
    return int(value) if name in _WHOLE else float(value)
