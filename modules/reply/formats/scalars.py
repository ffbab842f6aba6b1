"""Single values, from how a model wrote them to the JSON that the tool's schema asks for."""

import json
import re

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"(-?(?:0|[1-9]\d*))(?:\.0+)?", re.ASCII)
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
    plain = _LITERALS.get(token) or (token if _NUMBER.fullmatch(token) else None)
    if plain is None or plain == "null" or "string" not in types:
        return plain
    return quoted(token)
