"""Macros in the texts of characters, as version 3 of character cards and SillyTavern name them."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

_TOKEN: Final = re.compile(r"\{\{(?!\{)|\}\}|<(?:user|bot|char)>", re.IGNORECASE)
_ROLL: Final = re.compile(r"(\d{0,3})d?(\d{1,9})([+-]\d{1,9})?", re.IGNORECASE)
_COMMA: Final = re.compile(r"(?<!\\),")
# Short texts can stand for long ones many times over.
_LONGEST: Final = 4 * 2**20


def _no_words() -> Mapping[str, str]:
    return MappingProxyType({})


def _no_outlet(_: str) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Macros:
    """What macros stand for in one conversation. Choices and rolls follow from the `seed` and from where they stand, so
    that a text is the same in every turn of a conversation and its beginning stays in the model's cache. `words` are further
    names and what they stand for, `outlet` says what the outlet of a name has. With `is_scan` hidden keys are shown, as they
    are looked for."""

    user: str
    char: str
    seed: str = ""
    now: datetime = field(default_factory=lambda: datetime.now().astimezone())
    words: Mapping[str, str] = field(default_factory=_no_words)
    outlet: Callable[[str], str] = _no_outlet
    is_scan: bool = False

    def filled(self, text: str) -> str:
        """Names that are not known stay as they are, braces and all."""
        if "{{" not in text and "<" not in text:
            return text
        filling = _Filling(self, text)
        return filling.done()

    def value(self, name: str, argument: str, place: str) -> str | None:
        """What a macro stands for; `place` tells the choices of one text apart. None for one that is not known."""
        if not argument:
            return self._word(name)
        chosen = _WITH_ARGUMENT.get(name)
        return None if chosen is None else chosen(self, argument, f"{self.seed}\0{place}")

    def _word(self, name: str) -> str | None:
        match name:
            case "user":
                return self.user
            case "char" | "bot":
                return self.char
            case "newline":
                return "\n"
            case "noop" | "trim":
                return ""
        dated = _DATES.get(name)
        return self.now.strftime(dated) if dated else self.words.get(name)


class _Filling:
    """Reads a text once; macros may stand in macros."""

    def __init__(self, macros: Macros, text: str) -> None:
        self._macros = macros
        self._text = text
        self._stack: list[list[str]] = [[]]
        self._count = 0
        self._length = 0

    def done(self) -> str:
        rest = 0
        for found in _TOKEN.finditer(self._text):
            self._say(self._text[rest : found.start()])
            self._take(found.group())
            rest = found.end()
        self._say(self._text[rest:])
        while len(self._stack) > 1:
            unclosed = self._stack.pop()
            self._stack[-1] += ["{{", *unclosed]
        return "".join(self._stack[0])

    def _take(self, token: str) -> None:
        if token == "{{":
            self._stack.append([])
        elif token == "}}" and len(self._stack) > 1:
            self._close("".join(self._stack.pop()))
        elif token == "}}":
            self._say(token)
        else:
            self._say(self._macros.user if token.lower() == "<user>" else self._macros.char)

    def _close(self, inner: str) -> None:
        name, argument = _parts(inner)
        self._count += 1
        value = self._macros.value(name, argument, f"{self._count}\0{argument}")
        is_long = value is not None and self._length + len(value) > _LONGEST
        self._say(f"{{{{{inner}}}}}" if value is None or is_long else value)

    def _say(self, text: str) -> None:
        self._length += len(text)
        self._stack[-1].append(text)


def _parts(inner: str) -> tuple[str, str]:
    stripped = inner.strip()
    if stripped.startswith("//"):
        return "//", stripped[2:] or " "
    name, separator, argument = stripped.partition(":")
    if not separator:
        name, _, argument = stripped.partition(" ")
    return name.strip().lower(), argument.removeprefix(":")


def _options(argument: str) -> Sequence[str]:
    if "::" in argument:
        return [each.strip() for each in argument.split("::")]
    return [each.replace("\\,", ",").strip() for each in _COMMA.split(argument)]


def fraction(seed: str) -> float:
    """From 0 to 1, below 1; always the same for the same `seed`."""
    digest = hashlib.blake2b(seed.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48


def _chosen(_: Macros, argument: str, seed: str) -> str:
    options = _options(argument)
    return options[int(fraction(seed) * len(options))]


def _rolled(_: Macros, argument: str, seed: str) -> str | None:
    """`6`, `d6`, `2d6+1`."""
    found = _ROLL.fullmatch(argument.replace(" ", ""))
    if found is None or not int(found[2]):
        return None
    is_dice = "d" in argument.lower()
    # Without the letter the digits before the last ones belong to the number.
    count, sides = (int(found[1] or 1), int(found[2])) if is_dice else (1, int(found[1] + found[2]))
    rolls = (1 + int(fraction(f"{seed}\0{number}") * sides) for number in range(count))
    return str(sum(rolls) + int(found[3] or 0))


def _hidden(macros: Macros, argument: str, _: str) -> str:
    return argument if macros.is_scan else ""


_WITH_ARGUMENT: Final[Mapping[str, Callable[[Macros, str, str], str | None]]] = MappingProxyType(
    {
        "random": _chosen,
        "pick": _chosen,
        "roll": _rolled,
        "reverse": lambda _, argument, __: argument[::-1],
        "hidden_key": _hidden,
        "outlet": lambda macros, argument, _: macros.outlet(argument.strip()),
        "comment": lambda *_: "",
        "//": lambda *_: "",
    }
)
_DATES: Final = MappingProxyType(
    {
        "date": "%B %d, %Y",
        "time": "%H:%M",
        "weekday": "%A",
        "isodate": "%Y-%m-%d",
        "isotime": "%H:%M",
    }
)
