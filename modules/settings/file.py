"""settings.yaml: reading what the user set there, writing back only what differs from the defaults."""

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType

import yaml

from modules.errors import SettingsError
from modules.paths import atomic_write
from modules.settings.options import nearest
from modules.settings.values import OPTIONS, Settings

_log = logging.getLogger(__name__)

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        spelling.replace("-", "_"): option.name
        for option in OPTIONS.values()
        for spelling in (option.name, option.key, *option.aliases)
    }
)


def read_settings_file(path: Path) -> dict[str, object]:
    """The settings that the file at `path` holds, by field name; keys may be spelt with dashes. No file, no settings.

    A key without a value counts as absent. Keys that mean nothing here are named in one warning, except for the
    form `<extension>-<parameter>`, which belongs to extensions. Raises SettingsError when the file is no YAML mapping.
    """
    content = load_file(path)
    _warn_of_unknown(path, content)
    return {name: value for key, value in content.items() if value is not None and (name := _stored_name(key))}


def save_settings(path: Path, settings: Settings, names: Collection[str]) -> None:
    """Write the fields `names` of `settings` to the file at `path` as one change, leaving every other key as it is.

    A field at its default is taken out of the file. Raises SettingsError for fields that the file cannot hold, and for
    a file that cannot be read, which is then left alone.
    """
    for name in names:
        if name not in OPTIONS or not OPTIONS[name].stored:
            raise SettingsError(f"{name} cannot be saved in {path.name}.", param=name)
    kept = {key: value for key, value in load_file(path).items() if _stored_name(key) not in names}
    values = {name: getattr(settings, name) for name in names}
    changed = {OPTIONS[name].key: _plain(value) for name, value in values.items() if value != OPTIONS[name].default}
    atomic_write(path, yaml.safe_dump({**kept, **changed}, sort_keys=False, allow_unicode=True))


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


def _stored_name(key: str) -> str | None:
    name = _NAMES.get(key.replace("-", "_"))
    return name if name and OPTIONS[name].stored else None


def _warn_of_unknown(path: Path, content: Mapping[str, object]) -> None:
    remarks = [remark for key in content if _stored_name(key) is None and (remark := _remark(key))]
    if remarks:
        _log.warning("%s: keys that are ignored: %s", path.name, ", ".join(remarks))


def _remark(key: str) -> str | None:
    name = key.replace("-", "_")
    if name in _NAMES:
        return f"{key} (works only as a flag)"
    if _is_of_extension(key):
        return None
    suggestion = nearest(name, _NAMES)
    if suggestion:
        return f"{key} (did you mean {suggestion}?)"
    return None if "-" in key else key


def _is_of_extension(key: str) -> bool:
    """`<extension>-<parameter>`, where no setting begins with the same word."""
    word, dash, _ = key.partition("-")
    return bool(dash) and not any(name.startswith(f"{word}_") for name in _NAMES)


def _plain(value: object) -> object:
    """What YAML can write: lists for tuples, text for paths."""
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
