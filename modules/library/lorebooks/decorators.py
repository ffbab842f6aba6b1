"""Decorators: the first lines of entries in lorebooks of the third version of cards."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from modules.library.lorebooks.book import Position
from modules.messages import Role

_MARK: Final = "@@"
_FALLBACK: Final = "@@@"
# Those of the specification that several lines may have.
_REPEATED: Final = frozenset({"additional_keys", "exclude_keys"})
_POSITIONS: Final = MappingProxyType(
    {
        "after_desc": Position.AFTER,
        "before_desc": Position.BEFORE,
        "personality": Position.PERSONALITY,
        "scenario": Position.SCENARIO,
    }
)


@dataclass(frozen=True, slots=True)
class Decorated:
    """A content without its decorators; `values` are those that are used here, by name, `unknown` the names of others."""

    text: str
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def number(self, name: str) -> int | None:
        return int(self.values[name][0]) if name in self.values else None

    def role(self) -> Role | None:
        return Role(self.values["role"][0]) if "role" in self.values else None

    def position(self) -> Position | None:
        return _POSITIONS[self.values["position"][0]] if "position" in self.values else None

    def lists(self, name: str) -> tuple[tuple[str, ...], ...]:
        """One for each line, of values between commas."""
        return tuple(_listed(value) for value in self.values.get(name, ()))


def decorated(content: str) -> Decorated:
    """Decorators stand on the first lines. One that is not known, or whose value is not valid, gives way to the fallbacks
    that follow it."""
    lines = content.split("\n")
    values: dict[str, list[str]] = {}
    unknown: list[str] = []
    is_settled, count = True, 0
    for line in lines:
        stripped = line.strip()
        if stripped and not stripped.startswith(_MARK):
            break
        count += 1
        if not stripped:
            continue
        is_fallback = stripped.startswith(_FALLBACK)
        if is_fallback and is_settled:
            continue
        name, value = _parts(stripped)
        is_settled = name in _VALID and _VALID[name](value)
        if is_settled and (name not in values or name in _REPEATED):
            values.setdefault(name, []).append(value)
        elif not is_settled:
            unknown.append(name)
    return Decorated("\n".join(lines[count:]).strip("\n"), values, tuple(unknown)) if count else Decorated(content)


def _parts(line: str) -> tuple[str, str]:
    name, _, value = line.lstrip("@").partition(" ")
    return name.strip().lower(), value.strip()


def _listed(value: str) -> tuple[str, ...]:
    return tuple(each for part in value.split(",") if (each := part.strip()))


def _is_number(value: str) -> bool:
    return value.lstrip("-").isascii() and value.lstrip("-").isdigit() and len(value) < 10


def _is_flag(value: str) -> bool:
    return value.lower() not in {"false", "0"}


_VALID: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType(
    {
        "activate": _is_flag,
        "dont_activate": _is_flag,
        "keep_activate_after_match": _is_flag,
        "dont_activate_after_match": _is_flag,
        "activate_only_after": _is_number,
        "activate_only_every": _is_number,
        "depth": _is_number,
        "reverse_depth": _is_number,
        "scan_depth": _is_number,
        "is_greeting": _is_number,
        "role": {"assistant", "system", "user"}.__contains__,
        "position": _POSITIONS.__contains__,
        "additional_keys": bool,
        "exclude_keys": bool,
    }
)
