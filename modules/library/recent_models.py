"""Which models were used last, newest first: a small file that may be lost."""

import json
import logging
from pathlib import Path
from threading import Lock
from typing import Final

from modules.errors import BadRequest
from modules.library.text_files import read_text
from modules.paths import atomic_write

_log = logging.getLogger(__name__)
_KEPT: Final = 8


class RecentModels:
    """Blocks for as long as the disk takes; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()

    def names(self) -> tuple[str, ...]:
        """Empty where the file is damaged or not there."""
        try:
            found = json.loads(read_text(self._path))
        except (OSError, ValueError, BadRequest):
            return ()
        return tuple(name for name in found if isinstance(name, str))[:_KEPT] if isinstance(found, list) else ()

    def note(self, name: str) -> None:
        with self._lock:
            names = [name, *(each for each in self.names() if each != name)][:_KEPT]
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                atomic_write(self._path, json.dumps(names, ensure_ascii=False))
            except OSError as error:
                _log.warning("which model was used last could not be noted: %s", type(error).__name__)
