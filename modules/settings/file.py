"""settings.yaml: reading what the user set there, writing back only what differs from the defaults."""

import logging
from collections.abc import Collection, Mapping
from pathlib import Path

import yaml

from modules.errors import SettingsError
from modules.paths import atomic_write
from modules.settings.options import Option, nearest
from modules.settings.values import Settings

_log = logging.getLogger(__name__)


def read_settings_file(path: Path, kind: type[Settings] = Settings) -> dict[str, object]:
    """The settings that the file at `path` holds, by field name; keys may be spelt with dashes. No file, no settings.

    A key without a value counts as absent. Keys that mean nothing here are named in one warning, except for the
    form `<extension>-<parameter>`, which belongs to extensions. Raises SettingsError when the file is no YAML mapping.
    """
    content = load_file(path)
    names = _names(kind)
    _warn_of_unknown(path, content, names)
    return {
        option.name: value
        for key, value in content.items()
        if value is not None and (option := _stored(key, names)) is not None
    }


def save_settings(path: Path, settings: Settings, names: Collection[str]) -> None:
    """Write the fields `names` of `settings` to the file at `path` as one change, leaving every other key as it is.

    A field at its default is taken out of the file, which is for its owner's eyes once a key is saved in it. Raises SettingsError for fields that the file cannot hold, and for
    a file that cannot be read, which is then left alone.
    """
    declared, spellings = settings.declared, _names(type(settings))
    for name in names:
        if name not in declared or not declared[name].stored:
            raise SettingsError(f"{name} cannot be saved in {path.name}.", param=name)
    kept = {
        key: value
        for key, value in load_file(path).items()
        if (option := _stored(key, spellings)) is None or option.name not in names
    }
    values = {name: getattr(settings, name) for name in names}
    changed = {declared[name].key: _plain(value) for name, value in values.items() if value != declared[name].default}
    holds_key = any(declared[name].secret and values[name] for name in names)
    text = yaml.safe_dump({**kept, **changed}, sort_keys=False, allow_unicode=True)
    atomic_write(path, text, is_private=holds_key)


def load_file(path: Path) -> dict[str, object]:
    """All that the file at `path` holds, as it stands there; nothing when there is none. Raises SettingsError."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except yaml.YAMLError as failure:
        raise SettingsError(f"{path} is not valid YAML{_place(failure)}. Correct it or remove the file.") from failure
    except (OSError, UnicodeDecodeError) as failure:
        raise SettingsError(f"{path} cannot be read: {failure}.") from failure
    if content is not None and not isinstance(content, dict):
        raise SettingsError(f"{path} must hold one `key: value` per line.")
    return {str(key): value for key, value in (content or {}).items()}


def _place(failure: yaml.YAMLError) -> str:
    """Where the file is wrong. What stands there is left out, for it may be a key."""
    mark = failure.problem_mark if isinstance(failure, yaml.MarkedYAMLError) else None
    return f" in line {mark.line + 1}" if mark else ""


def _names(kind: type[Settings]) -> Mapping[str, Option]:
    """Every spelling of a setting, with underscores."""
    return {
        spelling.replace("-", "_"): option
        for option in kind.declared.values()
        for spelling in (option.name, option.key, *option.aliases)
    }


def _stored(key: str, names: Mapping[str, Option]) -> Option | None:
    option = names.get(key.replace("-", "_"))
    return option if option is not None and option.stored else None


def _warn_of_unknown(path: Path, content: Mapping[str, object], names: Mapping[str, Option]) -> None:
    remarks = [remark for key in content if _stored(key, names) is None and (remark := _remark(key, names)) is not None]
    if remarks:
        _log.warning("%s: keys that are ignored: %s", path.name, ", ".join(remarks))


def _remark(key: str, names: Mapping[str, Option]) -> str | None:
    name = key.replace("-", "_")
    if name in names:
        return f"{key} (works only as a flag)"
    if _is_of_extension(key, names):
        return None
    suggestion = nearest(name, names)
    if suggestion:
        return f"{key} (did you mean {suggestion}?)"
    return None if "-" in key else key


def _is_of_extension(key: str, names: Mapping[str, Option]) -> bool:
    """`<extension>-<parameter>`, where no setting begins with the same word."""
    word, dash, _ = key.partition("-")
    return bool(dash) and not any(name.startswith(f"{word}_") for name in names)


def _plain(value: object) -> object:
    """What YAML can write: lists for tuples, text for paths."""
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
