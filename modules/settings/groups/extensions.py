"""Parameters of extensions in settings.yaml: keys of the form `<extension>-<parameter>`."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from modules.errors import SettingsError
from modules.paths import atomic_write
from modules.settings.file import load_file
from modules.settings.values import OPTIONS, Settings


def settings_path(settings: Settings) -> Path:
    """The file that settings were read from and are saved in."""
    return settings.settings or settings.user_data.settings


def extension_values(settings: Settings, extension: str) -> dict[str, object]:
    """What the operator set of one extension, by parameter. Those of our own extension are settings of the program, so
    that flags and variables count too. Raises SettingsError for a file that cannot be read."""
    prefix = f"{extension}-"
    stored = load_file(settings_path(settings))
    values = {key.removeprefix(prefix): value for key, value in stored.items() if key.startswith(prefix)}
    known = {name: option.key for name, option in OPTIONS.items() if option.key.startswith(prefix)}
    return values | {key.removeprefix(prefix): getattr(settings, name) for name, key in known.items()}


def save_keys(path: Path, values: Mapping[str, object]) -> None:
    """Write these keys to the file at `path` as one change and leave all others as they are; None takes a key out.

    Raises SettingsError for a value that YAML cannot hold, and for a file that cannot be read, which is then left alone.
    """
    content = load_file(path) | dict(values)
    try:
        text = yaml.safe_dump(
            {key: value for key, value in content.items() if value is not None}, sort_keys=False, allow_unicode=True
        )
    except yaml.YAMLError as failure:
        raise SettingsError(f"{', '.join(values)}: there is a value that {path.name} cannot hold.") from failure
    atomic_write(path, text)
