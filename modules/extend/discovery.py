"""Where extensions lie: a folder with a script.py among the user's, or else among those of the program."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from modules.errors import BadRequest, NotFound
from modules.paths import PROGRAM_FOLDER, UserData, inside
from modules.settings.options import did_you_mean

SCRIPT: Final = "script.py"
BUILT_IN_FOLDER: Final = PROGRAM_FOLDER / "extensions"


class Origin(StrEnum):
    USER = "user"
    BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True)
class Found:
    name: str
    folder: Path
    origin: Origin

    @property
    def script(self) -> Path:
        return self.folder / SCRIPT


def find_extension(data: UserData, name: str) -> Found:
    """The extension of that name, the user's if there are two. Raises BadRequest for no plain name, NotFound."""
    for root, origin in _roots(data):
        folder = inside(root, name, param="extensions")
        if (folder / SCRIPT).is_file():
            return Found(name, folder, origin)
    names = [found.name for found in found_extensions(data)]
    raise NotFound(
        f"There is no extension {name!a}{did_you_mean(name, names) or '.'} There are: {', '.join(names) or 'none'}.",
        param="extensions",
    )


def found_extensions(data: UserData) -> list[Found]:
    """All there are, by name, each once."""
    found = {each.name: each for root, origin in reversed(_roots(data)) for each in _in(root, origin)}
    return sorted(found.values(), key=lambda each: (each.name.lower(), each.name))


def _roots(data: UserData) -> tuple[tuple[Path, Origin], ...]:
    return (data.extensions, Origin.USER), (BUILT_IN_FOLDER, Origin.BUILT_IN)


def _in(root: Path, origin: Origin) -> Iterator[Found]:
    if not root.is_dir():
        return
    for entry in root.iterdir():
        if not (entry / SCRIPT).is_file():
            continue
        try:
            yield Found(entry.name, inside(root, entry.name), origin)
        except BadRequest:
            continue
