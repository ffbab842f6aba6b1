"""Golden replies of all tool formats, and what a parser says of a reply, put together."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from modules.messages import ToolSpec
from modules.reply.formats.registry import ALL
from modules.reply.tool_format import CallArguments, CallEnd, CallStart, Piece, Text, ToolFormat

FOLDER = Path(__file__).parents[2] / "golden" / "tool_calls"
FORMATS = {each.name: each for each in ALL}


@dataclass(frozen=True, slots=True)
class Golden:
    """A reply in the format named `format`, and the pieces it is made of: texts, calls, calls that broke off and whose
    text follows."""

    format: str
    name: str
    reply: str
    pieces: tuple[dict[str, Any], ...]

    @property
    def tool_format(self) -> ToolFormat:
        return FORMATS[self.format]


@dataclass(slots=True)
class Call:
    name: str
    arguments: list[str] = field(default_factory=list)
    is_complete: bool = False


def golden_replies() -> list[Golden]:
    return [
        Golden(path.stem, each["name"], each["reply"], tuple(each["pieces"]))
        for path in sorted(FOLDER.glob("*.yaml"))
        for each in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


def pieces_of(tool_format: ToolFormat, parts: Iterable[str], tools: Sequence[ToolSpec]) -> list[Piece]:
    """What a new parser says of a reply that comes in `parts`."""
    parser = tool_format.parser(tools)
    pieces = [piece for part in parts for piece in parser.feed(part)]
    return [*pieces, *parser.close()]


def joined(pieces: Iterable[Piece]) -> list[dict[str, Any]]:
    """`pieces` as golden replies say them.

    Raises AssertionError when they come in an order that ToolParser does not allow.
    """
    whole: list[Call | list[str]] = []
    for piece in pieces:
        last = whole[-1] if whole else None
        match piece:
            case Text(text):
                if isinstance(last, list):
                    last.append(text)
                else:
                    whole.append([text])
            case CallStart(name):
                assert not (isinstance(last, Call) and not last.is_complete), "a call within a call"
                whole.append(Call(name))
            case CallArguments(text):
                assert isinstance(last, Call)
                assert not last.is_complete
                last.arguments.append(text)
            case CallEnd():
                assert isinstance(last, Call)
                assert not last.is_complete
                last.is_complete = True
    return list(_described(whole))


def _described(whole: list[Call | list[str]]) -> Iterator[dict[str, Any]]:
    for each in whole:
        if isinstance(each, list):
            yield {"text": "".join(each)}
        elif each.is_complete:
            yield {"call": each.name, "arguments": json.loads("".join(each.arguments))}
        else:
            yield {"broken_call": each.name, "begun": "".join(each.arguments)}
