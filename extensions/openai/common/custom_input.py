"""The free text input of a custom tool, which the model writes as the one argument `input`."""

import json
import re
from typing import Final

_HEAD: Final = re.compile(r'\s*\{\s*"input"\s*:\s*"')
# What has not begun with the key after so many characters has another shape and is not searched again and again.
_LONGEST_HEAD: Final = 128
# Halves of a surrogate pair: one without the other is no character yet, so the text ends before it.
_HIGH: Final = r"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW: Final = r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_NO_LOW: Final = r"[^\\]|\\[^u]|\\u[^dD]|\\u[dD][^c-fC-F]"
_COMPLETE: Final = re.compile(
    rf'(?:[^"\\]+|\\[^u]|{_HIGH}{_LOW}|{_HIGH}(?={_NO_LOW})|\\u(?![dD][89abAB])[0-9a-fA-F]{{4}})*'
)
# Two escapes of six characters, a whole surrogate pair.
_LONGEST_ESCAPE: Final = 12


class CustomInput:
    """Reads the JSON text of a call's arguments, in any pieces, and gives the text of `input` as it becomes known."""

    def __init__(self) -> None:
        self._head = ""
        self._tail = ""
        self._is_inside = False
        self._is_over = False

    def feed(self, piece: str) -> str:
        if self._is_over:
            return ""
        if self._is_inside:
            return self._read(piece)
        self._head += piece
        if len(self._head) - len(piece) > _LONGEST_HEAD or (match := _HEAD.match(self._head)) is None:
            return ""
        self._is_inside = True
        return self._read(self._head[match.end() :])

    def close(self) -> str:
        """What is left when the call is over: arguments of another shape are given as they are."""
        if self._is_over:
            return ""
        return _without_lone_surrogates(self._tail) if self._is_inside else _input_of(self._head)

    def _read(self, piece: str) -> str:
        text = self._tail + piece
        match = _COMPLETE.match(text)
        end = match.end() if match else 0
        self._tail = text[end:]
        self._is_over = self._tail.startswith('"')
        read = _decoded(text[:end])
        if not self._is_over and len(self._tail) >= _LONGEST_ESCAPE:
            # No escape is this long: what holds it up is none.
            self._tail, rest = "", self._tail
            return read + "\N{REPLACEMENT CHARACTER}" + self._read(rest[2:])
        return read


def custom_input(arguments: str) -> str:
    """The text of `input` in complete arguments."""
    reader = CustomInput()
    return reader.feed(arguments) + reader.close()


def _decoded(quoted: str) -> str:
    return _without_lone_surrogates(quoted) if "\\" in quoted else quoted


def _without_lone_surrogates(quoted: str) -> str:
    try:
        text: str = json.loads(f'"{quoted}"', strict=False)
    except ValueError:
        return quoted
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _input_of(arguments: str) -> str:
    try:
        value = json.loads(arguments)
    except ValueError:
        return arguments
    given = value.get("input") if isinstance(value, dict) else None
    return given if isinstance(given, str) else arguments
