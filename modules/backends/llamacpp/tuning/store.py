"""Choices that were measured, in a file for each model, by all that they depend on."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from modules.backends.llamacpp.tuning.choices import TunedChoice
from modules.paths import atomic_write

_log = logging.getLogger(__name__)
_FOLDER: Final = "self_tests"
# A model is loaded in few ways; older ones are measured again.
_MOST: Final = 8
_DECODER: Final = msgspec.json.Decoder(dict[str, TunedChoice])


class ChoiceStore:
    """In `folder`, which is made when it is needed. A file that is missing or damaged holds nothing."""

    def __init__(self, folder: Path, model: str) -> None:
        digest = hashlib.sha256(model.encode("utf-8", "surrogatepass")).hexdigest()
        self._file = folder / _FOLDER / f"{digest[:24]}.json"

    def get(self, key: str) -> TunedChoice | None:
        return self._all().get(key)

    def put(self, key: str, choice: TunedChoice) -> None:
        """A folder that cannot be written costs a measurement at each load, and a warning."""
        others = {other: kept for other, kept in self._all().items() if other != key}
        kept = {**dict(list(others.items())[-(_MOST - 1) :]), key: choice}
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(self._file, msgspec.json.format(msgspec.json.encode(kept)))
        except OSError as error:
            _log.warning("what was measured cannot be kept: %s", error.strerror)

    def _all(self) -> Mapping[str, TunedChoice]:
        try:
            return _DECODER.decode(self._file.read_bytes())
        except (OSError, msgspec.DecodeError):
            return {}


def key_of(parts: Mapping[str, object]) -> str:
    """The same for the same parts, in a file for people to read."""
    return " · ".join(f"{name} {value}" for name, value in sorted(parts.items()))
