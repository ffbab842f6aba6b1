"""What LoRA adapters lie on disk."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modules.engine.types import Adapter
from modules.errors import NotFound
from modules.settings.options import did_you_mean

_GGUF: Final = ".gguf"
_FOLDER_MARK: Final = "adapter_config.json"


@dataclass(frozen=True, slots=True)
class AdapterCatalog:
    """The adapters in `folder`: GGUF files, and folders in PEFT's format. It is read anew each time."""

    folder: Path

    def names(self) -> list[str]:
        return sorted(self._names(), key=str.lower)

    def find(self, name: str) -> Adapter:
        """The listed adapter of that name; `.gguf` may be left out. Raises NotFound for everything else."""
        names = self.names()
        for candidate in (name, name + _GGUF):
            if candidate in names:
                return Adapter(name=candidate, path=str((self.folder / candidate).absolute()))
        raise NotFound(
            f"There is no adapter named {name[:80]!a} in the folder of the adapters{did_you_mean(name[:200], names)}.",
            param="lora_names",
        )

    def _names(self) -> Iterator[str]:
        if not self.folder.is_dir():
            return
        with os.scandir(self.folder) as entries:
            for entry in entries:
                is_file = entry.name.lower().endswith(_GGUF)
                if not entry.name.startswith(".") and (is_file or (Path(entry) / _FOLDER_MARK).is_file()):
                    yield entry.name
