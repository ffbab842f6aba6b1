"""The pictures that were made: files under `user_data/image_outputs`, a folder for each day."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

from modules.errors import NotFound
from modules.media.images.metadata import parsed, settings_of, settings_text
from modules.media.images.requests import ImageFormat, SettingsOfPicture
from modules.paths import atomic_write, inside_tree

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_SUFFIXES: Final = tuple(f".{form}" for form in ImageFormat)
_SIDECAR: Final = ".json"
# Settings stand before the pixels.
_HEAD_BYTES: Final = 2**19
_MAX_SIDECAR: Final = 2**18


@dataclass(frozen=True, slots=True)
class GalleryPage:
    """Names as `path_of` takes them, newest first; whether there are older ones."""

    names: tuple[str, ...]
    has_more: bool


class ImageGallery:
    """Every method blocks for as long as the disk takes. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, data: bytes, form: ImageFormat, seed: int, index: int, settings: SettingsOfPicture) -> str:
        """Keep a file, with a file of its settings beside it if it does not say them itself; returns its name."""
        now = datetime.now().astimezone()
        stem = f"{now:%Y-%m-%d}/TGW_{now:%H-%M-%S}_{seed:010d}_{index:03d}"
        name = self._free(stem, f".{form}")
        atomic_write(self._folder / name, data)
        if not settings_of(data[:_HEAD_BYTES]):
            atomic_write(self._sidecar(name), settings_text(settings))
        return name

    def page(self, first: int, count: int) -> GalleryPage:
        """`count` names from number `first` on. Reads the folders of only as many days as it needs."""
        found = list(islice(self._newest_first(), first, first + count + 1))
        return GalleryPage(tuple(found[:count]), len(found) > count)

    def path_of(self, name: str) -> Path:
        """Raises BadRequest for what is no name of a picture, NotFound."""
        path = inside_tree(self._folder, name, _SUFFIXES, param="name")
        if not path.is_file():
            raise NotFound("That picture is not in the gallery.", param="name")
        return path

    def settings(self, name: str) -> SettingsOfPicture:
        """How it was made; empty where nothing says so. Raises like `path_of`."""
        path = self.path_of(name)
        with path.open("rb") as file:
            settings = settings_of(file.read(_HEAD_BYTES))
        return settings or self._beside(name)

    def delete(self, names: Sequence[str]) -> None:
        """Raises like `path_of`, before any is deleted."""
        paths = [self.path_of(name) for name in names]
        for name, path in zip(names, paths, strict=True):
            path.unlink(missing_ok=True)
            self._sidecar(name).unlink(missing_ok=True)

    def _free(self, stem: str, suffix: str) -> str:
        name, number = f"{stem}{suffix}", 1
        while (self._folder / name).exists():
            name, number = f"{stem}_{number}{suffix}", number + 1
        return name

    def _sidecar(self, name: str) -> Path:
        return self._folder / (name + _SIDECAR)

    def _beside(self, name: str) -> SettingsOfPicture:
        try:
            with self._sidecar(name).open(encoding="utf-8") as file:
                return parsed(file.read(_MAX_SIDECAR))
        except (OSError, UnicodeDecodeError):
            return {}

    def _newest_first(self) -> Iterator[str]:
        for day in sorted(filter(_DAY.fullmatch, _entries(self._folder)), reverse=True):
            pictures = [name for name in _entries(self._folder / day) if name.lower().endswith(_SUFFIXES)]
            yield from (f"{day}/{name}" for name in sorted(pictures, reverse=True))


def _entries(folder: Path) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if not name.startswith(".")]
    except OSError:
        return []
