"""Single values, from how a model wrote them to the JSON that the tool's schema asks for."""

import json
import re

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"(-?(?:0|[1-9]\d*))(?:\.0+)?", re.ASCII)
# What Python reads as a number, and models write of JSON's: 07, .5, 1., +5, 1_000, 0x1F.
_LOOSE_NUMBER = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<based>0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+)"
    r"|(?P<whole>\d[\d_]*)?(?:(?P<point>\.)(?P<part>\d[\d_]*)?)?(?P<power>[eE][+-]?\d+)?)",
    re.ASCII,
)
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
