"""docs/SETTINGS.md, written from the settings themselves: `python -m modules.settings.document`."""

from modules.paths import PROGRAM_FOLDER, atomic_write
from modules.settings.flag_parser import REMOVED_FLAGS
from modules.settings.options import Option, SettingsGroup
from modules.settings.values import Settings

SETTINGS_PAGE = PROGRAM_FOLDER / "docs" / "SETTINGS.md"

_INTRODUCTION = """\
# Settings

This page is generated; after a change of a setting run `python -m modules.settings.document`.

Every setting can be given in several places. Above each other stand:

1. the environment variable, where the table names one;
2. the command line: `python server.py --ctx-size 4096`;
3. `CMD_FLAGS.txt` in the user data folder: flags as on the command line, on as many lines as you like. Lines that
   begin with `#` are comments, and values with spaces stand in quotes;
4. `settings.yaml` in the user data folder, or the file named by `--settings`: one `key: value` per line;
5. the default.

In flags and keys, dashes and underscores mean the same: `--ctx-size`, `--ctx_size`, `ctx_size:`. A switch is turned
on by `--api` and off by `--no-api` or `--api=false`. A list is given as `--extensions one two` or
`--extensions one,two`, in YAML as a list or as text with commas. A value that begins with a dash needs the form
`--flag=value`.
"""


def settings_page(kind: type[Settings] = Settings) -> str:
    """The page's text in Markdown."""
    sections = [_section(group, kind) for group in kind.groups]
    return "\n".join((_INTRODUCTION, *sections, _removed()))


def _section(group: type[SettingsGroup], kind: type[Settings]) -> str:
    rows = "".join(_row(kind.declared[name]) for name in group.model_fields)
    return f"## {group.title}\n\n| Setting | Default | Allowed | Meaning |\n|---|---|---|---|\n{rows}"


def _row(option: Option) -> str:
    cells = (_spellings(option), _code(option.shown_default), option.allowed, option.description)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _spellings(option: Option) -> str:
    spellings = [_code(flag) for flag in (*option.flags, option.negation) if flag]
    if option.stored:
        spellings.append(f"key {_code(option.key)}")
    if option.env:
        spellings.append(f"variable {_code(option.env)}")
    return "<br>".join(spellings)


def _code(text: str) -> str:
    """A row of a table is one line, so line ends are shown as a backslash and n."""
    shown = text.replace("\n", "\\n")
    return f"`{shown}`" if text else "–"


def _removed() -> str:
    rows = "".join(f"| {_code(flag)} | {advice} |\n" for flag, advice in REMOVED_FLAGS.items())
    return f"## Flags that are accepted and ignored\n\n| Flag | Instead |\n|---|---|\n{rows}"


if __name__ == "__main__":
    atomic_write(SETTINGS_PAGE, settings_page())
