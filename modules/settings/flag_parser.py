"""The command line's grammar: flags, their values, and --help."""

import argparse
import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NoReturn

from modules.errors import SettingsError
from modules.settings.extra_flags import refusal_of
from modules.settings.option_values import OptionKind
from modules.settings.options import Option, did_you_mean
from modules.settings.values import Settings

_log = logging.getLogger(__name__)

REMOVED_FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "--alpha-value": "models bring their own RoPE scaling",
        "--autosplit": "models are spread over the GPUs without it",
        "--compress-pos-emb": "models bring their own RoPE scaling",
        "--cpp-runner": "its loader no longer exists",
        "--deepspeed": "its loader no longer exists",
        "--local-rank": "its loader no longer exists",
        "--no-flash-attn": "use --flash-attn off",
        "--no-sdpa": "the loader chooses the attention",
        "--no-xformers": "the loader chooses the attention",
        "--num-experts-per-token": "models bring their own number",
        "--nvme-offload-dir": "its loader no longer exists",
        "--rope-freq-base": "models bring their own RoPE scaling",
        "--row-split": "use --split-mode row",
    }
)

_EXTRA: Final = "--extra-flags"
_METAVARS = {
    OptionKind.INTEGER: "N",
    OptionKind.NUMBER: "X",
    OptionKind.TEXT: "TEXT",
    OptionKind.PATH: "PATH",
    OptionKind.WORDS: "NAME",
    OptionKind.NUMBERS: "X",
}


class HelpRequested(Exception):
    """The operator asked for --help. Its text is what to print; the program then ends well."""


def read_flags(argv: Sequence[str], kind: type[Settings] = Settings) -> dict[str, object]:
    """The values that `argv` gives, by field name, still as text. Flags may be written with dashes or underscores.

    Removed flags are named in one warning. Raises SettingsError for what is no flag, HelpRequested for --help.
    """
    given, rest = _parser(kind).parse_known_args([_with_dashes(argument) for argument in argv])
    values = vars(given)
    if "help" in values:
        raise HelpRequested(help_text(kind))
    extra = " ".join([*values.pop(_EXTRA, ()), *rest]) if _EXTRA in values else ""
    if extra.strip():
        flags = {flag: option for option in kind.declared.values() for flag in (*option.flags, option.negation) if flag}
        raise SettingsError(refusal_of(extra, flags))
    if rest:
        raise SettingsError(_unexpected(rest[0], kind))
    _warn_of_removed([name for name in values if name in REMOVED_FLAGS])
    return {name: _as_text(value) for name, value in values.items() if name in kind.declared}


def help_text(kind: type[Settings] = Settings) -> str:
    """What --help prints: every flag by group, with its default."""
    return _parser(kind).format_help()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message.removeprefix('argument ')}; --help shows how every flag is written")


def _parser(kind: type[Settings]) -> _Parser:
    parser = _Parser(
        prog="server.py",
        usage="%(prog)s [flags]",
        add_help=False,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        epilog="Dashes and underscores mean the same in a flag. A switch can be turned off: --no-api or --api=false. "
        "Flags may also stand in CMD_FLAGS.txt in the user data folder, and settings in its settings.yaml.",
    )
    parser.add_argument("-h", "--help", action="store_true", help="Show this list.")
    for group in kind.groups:
        section = parser.add_argument_group(group.title)
        for name in group.model_fields:
            _add_option(section, kind.declared[name])
    # Its value may begin with dashes.
    parser.add_argument(_EXTRA, dest=_EXTRA, nargs="*", help=argparse.SUPPRESS)
    for flag in REMOVED_FLAGS:
        parser.add_argument(flag, dest=flag, nargs="?", help=argparse.SUPPRESS)
    return parser


def _add_option(section: argparse._ArgumentGroup, option: Option) -> None:
    text = _help_line(option)
    if option.negation:
        section.add_argument(
            option.negation, dest=option.name, action="store_const", const="false", help=argparse.SUPPRESS
        )
        section.add_argument(*option.flags, dest=option.name, nargs="?", const="true", metavar="false", help=text)
    elif option.kind in {OptionKind.WORDS, OptionKind.NUMBERS}:
        metavar = _METAVARS[option.kind]
        section.add_argument(*option.flags, dest=option.name, nargs="+", action="extend", metavar=metavar, help=text)
    else:
        metavar = _METAVARS.get(option.kind) or "{" + ",".join(option.choices) + "}"
        section.add_argument(*option.flags, dest=option.name, metavar=metavar, help=text)


def _help_line(option: Option) -> str:
    default = f" (default: {option.shown_default})" if option.shown_default else ""
    return f"{option.description}{default}".replace("%", "%%")


def _with_dashes(argument: str) -> str:
    if not argument.startswith("--"):
        return argument
    flag, equals, value = argument.partition("=")
    return flag.replace("_", "-") + equals + value


def _as_text(value: object) -> object:
    return ",".join(value) if isinstance(value, list) else value


def _unexpected(argument: str, kind: type[Settings]) -> str:
    if not argument.startswith("-"):
        return f"unexpected argument {argument!r}; flags begin with --, and a value with spaces needs quotes"
    flag = argument.partition("=")[0]
    known = [name for option in kind.declared.values() for name in (*option.flags, option.negation) if name]
    return f"unknown flag {flag}{did_you_mean(flag, known)}"


def _warn_of_removed(flags: Sequence[str]) -> None:
    if flags:
        remarks = ", ".join(f"{flag} ({REMOVED_FLAGS[flag]})" for flag in flags)
        _log.warning("flags that no longer exist are ignored: %s", remarks)
