"""Reads the settings: command line, CMD_FLAGS.txt, settings.yaml and environment."""

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from modules.errors import SettingsError
from modules.settings.file import read_settings_file
from modules.settings.flag_parser import read_flags
from modules.settings.option_values import OptionKind
from modules.settings.options import Option
from modules.settings.values import Settings, SettingSource, settings_from

# What text-generation-webui's environment variables and shell scripts use for off.
_NO = frozenset({"0", "false", "no", "off"})


def parse(argv: Sequence[str], environ: Mapping[str, str], kind: type[Settings] = Settings) -> Settings:
    """The settings for a start with the arguments `argv` (without the program's name) in the environment `environ`.

    Above each other stand: `OPENEDAI_*` variables, the command line, CMD_FLAGS.txt and settings.yaml in the user data
    folder, the defaults. Raises SettingsError for whatever cannot be used, HelpRequested for --help.
    """
    command_line = SettingSource(read_flags(argv, kind), _flag)
    user_data = _ahead("user_data_dir", [command_line], kind).user_data
    kept = SettingSource(
        _read_cmd_flags(user_data.cmd_flags, kind), lambda option: f"{user_data.cmd_flags.name}: {option.flag}"
    )
    file = _ahead("settings", [kept, command_line], kind).settings or user_data.settings
    stored = SettingSource(read_settings_file(file, kind), lambda option: f"{file.name}: {option.key}")
    environment = SettingSource(_read_environment(environ, kind), lambda option: option.env)
    return settings_from([stored, kept, command_line, environment], kind)


def _ahead(name: str, sources: Sequence[SettingSource], kind: type[Settings]) -> Settings:
    """Settings in which only the one called `name` is set: it says where the others are."""
    return settings_from(
        [SettingSource({name: source.values[name]}, source.call) for source in sources if name in source.values],
        kind,
    )


def _read_cmd_flags(path: Path, kind: type[Settings]) -> dict[str, object]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        values = read_flags([word for line in lines for word in _words(line)], kind)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as failure:
        raise SettingsError(f"{path} cannot be read: {failure}") from failure
    except (SettingsError, ValueError) as failure:
        raise SettingsError(f"{path.name}: {failure}") from failure
    if "user_data_dir" in values:
        raise SettingsError(f"--user-data-dir says where {path.name} is, so it works only on the command line")
    return values


def _words(line: str) -> list[str]:
    """The arguments in one line, quoted as in a shell. A backslash at the end means nothing; # begins a comment line."""
    text = line.strip().removesuffix("\\")
    if text.startswith("#"):
        return []
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    if os.name == "nt":
        # There, backslashes separate folders.
        lexer.escape = ""
    return list(lexer)


def _read_environment(environ: Mapping[str, str], kind: type[Settings]) -> dict[str, object]:
    given = {option: environ.get(option.env, "").strip() for option in kind.declared.values() if option.env}
    return {option.name: _variable(option, value) for option, value in given.items() if value}


def _variable(option: Option, value: str) -> str:
    if option.kind is not OptionKind.SWITCH:
        return value
    # Any value switches on, as users know it, but for those that plainly say no.
    return "false" if value.lower() in _NO else "true"


def _flag(option: Option) -> str:
    return option.flag
