"""The tools that come with the program: what time it is, arithmetic, and dice."""

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

from modules.chat.tools.arithmetic import evaluate
from modules.chat.tools.base import Origin, Shelf, ToolFailed
from modules.messages import ToolSpec

_MAX_DICE: Final = 100
_MAX_SIDES: Final = 1_000_000


class BuiltInTools:
    origin = Origin.BUILT_IN

    async def shelf(self) -> Shelf:
        return Shelf(specs=tuple(spec for spec, _ in _TOOLS.values()))

    async def find(self, name: str) -> ToolSpec | None:
        return (await self.shelf()).find(name)

    async def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        _, function = _TOOLS[name]
        return function(arguments)

    async def aclose(self) -> None:
        return


def get_datetime(arguments: Mapping[str, Any]) -> str:
    zone = arguments.get("timezone") or ""
    if not isinstance(zone, str):
        raise ToolFailed("The timezone must be text, such as Europe/Berlin.")
    now = datetime.now(UTC)
    return _in_zone(now, zone).strftime("%A, %Y-%m-%d %H:%M:%S %z (%Z)")


def calculate(arguments: Mapping[str, Any]) -> str:
    expression = arguments.get("expression")
    if not isinstance(expression, str | int | float) or isinstance(expression, bool):
        raise ToolFailed("The argument expression is missing; it is text such as 2 * (3 + 4).")
    return str(evaluate(str(expression)))


def roll_dice(arguments: Mapping[str, Any]) -> str:
    count, sides = _whole(arguments, "count", 1, _MAX_DICE), _whole(arguments, "sides", 6, _MAX_SIDES)
    rolls = [secrets.randbelow(sides) + 1 for _ in range(count)]
    shown = ", ".join(map(str, rolls))
    return shown if count == 1 else f"{shown} (sum {sum(rolls)})"


def _in_zone(moment: datetime, zone: str) -> datetime:
    try:
        return moment.astimezone(ZoneInfo(zone) if zone else None)
    except (ValueError, OSError, KeyError):
        raise ToolFailed(f"There is no time zone {zone!a:.60}; name one such as Europe/Berlin or UTC.") from None


def _whole(arguments: Mapping[str, Any], name: str, default: int, most: int) -> int:
    value = arguments.get(name, default)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ToolFailed(f"The argument {name} must be a whole number from 1 to {most}.")
    return value


def _spec(name: str, description: str, required: tuple[str, ...] = (), **properties: tuple[str, str]) -> ToolSpec:
    """Each property is its JSON type and what it means."""
    described = {key: {"type": kind, "description": words} for key, (kind, words) in properties.items()}
    parameters = {"type": "object", "properties": described, "required": list(required)}
    return ToolSpec(name=name, description=description, parameters=parameters)


_TOOLS: Final[Mapping[str, tuple[ToolSpec, Callable[[Mapping[str, Any]], str]]]] = MappingProxyType(
    {
        "get_datetime": (
            _spec(
                "get_datetime",
                "Tells the current date, weekday and time.",
                timezone=("string", "A time zone such as Europe/Berlin or UTC. Without it, this machine's own."),
            ),
            get_datetime,
        ),
        "calculate": (
            _spec(
                "calculate",
                "Evaluates an arithmetic expression exactly.",
                ("expression",),
                expression=("string", "In Python's notation, for instance: 3 * (2 ** 10) + sqrt(2)"),
            ),
            calculate,
        ),
        "roll_dice": (
            _spec(
                "roll_dice",
                "Rolls dice and tells what they show.",
                count=("integer", f"How many dice, from 1 to {_MAX_DICE}; 1 if left out."),
                sides=("integer", "How many sides each has; 6 if left out."),
            ),
            roll_dice,
        ),
    }
)
