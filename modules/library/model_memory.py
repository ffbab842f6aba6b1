"""Which model each file of a folder was with last: a file `.models` beside those that cannot say it themselves."""

import json
import logging
from pathlib import Path
from threading import Lock
from typing import Final

from modules.errors import BadRequest
from modules.library.folder import FileCache
from modules.library.text_files import read_text
from modules.paths import atomic_write

_log = logging.getLogger(__name__)
_FILE: Final = ".models"


class ModelMemory:
    """Names of models by names of files. It is no more than a hint: what is damaged, or cannot be written, is as if it
    had never been there. Blocks for as long as the disk takes; safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._cache = FileCache(_read)
        self._lock = Lock()

    def of(self, name: str) -> str:
        """Empty for what was with no model yet."""
        return self._all().get(name, "")

    def note(self, name: str, model: str) -> None:
        with self._lock:
            known = self._all()
            if known.get(name, "") != model:
                self._write({**known, name: model})

    def rename(self, name: str, new_name: str) -> None:
        if model := self.of(name):
            self.note(new_name, model)
            self.forget(name)

    def forget(self, name: str) -> None:
        with self._lock:
            known = self._all()
            if name in known:
                self._write({each: model for each, model in known.items() if each != name})

    def _all(self) -> dict[str, str]:
        try:
            return dict(self._cache.read(self._path))
        except (OSError, ValueError, BadRequest):
            return {}

    def _write(self, known: dict[str, str]) -> None:
        try:
            atomic_write(self._path, json.dumps(known, ensure_ascii=False, indent=1))
        except OSError as error:
            _log.warning("which model was used last could not be noted: %s", type(error).__name__)


def _read(path: Path) -> tuple[tuple[str, str], ...]:
    """Raises ValueError."""
    known = json.loads(read_text(path))
    if not isinstance(known, dict):
        raise ValueError
    return tuple((name, model) for name, model in known.items() if isinstance(model, str))
