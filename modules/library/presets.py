"""The user's sampling presets."""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from modules.errors import BadRequest
from modules.library.folder import FileCache, Folder, blaming
from modules.library.text_files import as_mapping, parse_yaml, read_text, yaml_text
from modules.paths import UserData, atomic_write
from modules.sampling import OFF_BELOW_ZERO, Sampling, zero_if_negative
from modules.settings.groups.generation import GenerationSettings
from modules.settings.values import OPTIONS

_log = logging.getLogger(__name__)

_NEUTRAL: Final = Sampling()
_OFF_BELOW_ZERO: Final = frozenset({*OFF_BELOW_ZERO, "top_k"})
# What belongs to one request only (its seed, its bans) has no setting either.
PRESET_KEYS: Final = tuple(
    field.name for field in dataclasses.fields(Sampling) if field.name in GenerationSettings.model_fields
)


class Presets:
    """Files in `presets/`: sampling parameters by name, each only if it differs from neutral."""

    def __init__(self, data: UserData) -> None:
        self._folder = Folder(data.presets, "preset", (".yaml", ".yml"))
        self._cache = FileCache(_read)

    def names(self) -> list[str]:
        return self._folder.names()

    def read(self, name: str, *, param: str = "preset") -> Mapping[str, object]:
        """Fields of `Sampling` with the values that the file gives them, in range and of the field's type; what the file
        leaves out is left out. Raises BadRequest, naming `param`."""
        with blaming(param):
            return self._cache.read(self._folder.existing(name, param=param))

    def save(self, name: str, sampling: Sampling, *, param: str = "preset") -> None:
        """Write what differs from neutral. Raises BadRequest."""
        path = self._folder.find(name, param=param) or self._folder.new(name, ".yaml", param=param)
        values = {key: getattr(sampling, key) for key in PRESET_KEYS}
        changed = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in values.items()
            if value != getattr(_NEUTRAL, key)
        }
        atomic_write(path, yaml_text(changed) if changed else "")

    def delete(self, name: str, *, param: str = "preset") -> None:
        """Raises BadRequest when there is none of that name."""
        self._folder.delete(name, param=param)


def _read(path: Path) -> Mapping[str, object]:
    content = as_mapping(parse_yaml(read_text(path), path.name), path.name)
    _warn_of_unknown(path.name, content)
    given = {
        key: zero_if_negative(value) if key in _OFF_BELOW_ZERO else value
        for key, value in content.items()
        if key in PRESET_KEYS and value is not None
    }
    try:
        settings = GenerationSettings.model_validate(given)
    except ValidationError as failure:
        key = str(failure.errors()[0]["loc"][0])
        raise BadRequest(f"{path.name}: `{key}` must be {OPTIONS[key].allowed}.") from None
    return MappingProxyType({key: getattr(settings, key) for key in given})


def _warn_of_unknown(file_name: str, content: Mapping[str, object]) -> None:
    unknown = [ascii(key) for key in content if key not in PRESET_KEYS]
    if unknown:
        _log.warning("%s: keys that are ignored: %s", file_name, ", ".join(unknown)[:500])
