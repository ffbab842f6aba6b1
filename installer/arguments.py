"""The command line: the installer's own words taken out, everything else left exactly as it was given."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from installer.failures import StepFailed
from installer.hardware import ACCELERATORS

SETS = (*ACCELERATORS, "full")
ANEW = "auto"
COMMANDS = ("test", "check", "doctor", "update", "install", "fetch", "bench", "help")


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`command` is '' for starting the server; `rest` goes to the server (or pytest) untouched.

    `set_name` is None where the choice is left to the last installation or, at the first, to the hardware.
    """

    command: str
    rest: tuple[str, ...]
    set_name: str | None


def parse(arguments: Sequence[str]) -> CommandLine:
    """Raises StepFailed for a requirement set that does not exist."""
    rest, set_name = _without_set(arguments)
    if set_name is not None and set_name not in (*SETS, ANEW):
        raise StepFailed(
            f"There is no requirement set '{set_name}'.",
            advice=[f"Use --set with one of: {', '.join((*SETS, ANEW))} ('{ANEW}' looks at the hardware again)."],
        )
    if rest[:1] in (["-h"], ["--help"]):
        return CommandLine("help", (), set_name)
    if rest and rest[0] in COMMANDS:
        return CommandLine(rest[0], tuple(rest[1:]), set_name)
    return CommandLine("", tuple(rest), set_name)


def models_folder(arguments: Sequence[str], root: Path) -> Path:
    """Where the server will look for models, by its flags and by CMD_FLAGS.txt, which the command line overrides."""
    user_data = user_data_folder(arguments, root)
    flags = [*_flags_in(user_data / "CMD_FLAGS.txt"), *arguments]
    return Path(_value_of("model-dir", flags) or user_data / "models")


def user_data_folder(arguments: Sequence[str], root: Path) -> Path:
    return Path(_value_of("user-data-dir", arguments) or root / "user_data")


def _without_set(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    rest = list(arguments)
    for index, argument in enumerate(rest):
        if argument.startswith("--set="):
            return rest[:index] + rest[index + 1 :], argument.partition("=")[2]
        if argument == "--set":
            name = rest[index + 1] if index + 1 < len(rest) else ""
            return rest[:index] + rest[index + 2 :], name
    return rest, None


def _value_of(flag: str, arguments: Sequence[str]) -> str | None:
    """The last value given for a flag, in either spelling (dashes or underscores; a space or =)."""
    value = ""
    for argument, following in pairwise([*arguments, ""]):
        name, equals, attached = argument.partition("=")
        if name.replace("_", "-") == f"--{flag}":
            value = attached if equals else following
    return value or None


def _flags_in(path: Path) -> list[str]:
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    try:
        return [word for line in lines for word in _words(line)]
    except ValueError:
        return []  # an open quote: server.py, which starts next, reports it with its place


def _words(line: str) -> list[str]:
    text = line.strip().removesuffix("\\")
    if text.startswith("#"):
        return []
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    if os.name == "nt":
        lexer.escape = ""
    return list(lexer)
