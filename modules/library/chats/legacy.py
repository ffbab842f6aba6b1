"""Conversations of the oldest versions, which had one file for each character beside today's folders."""

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from modules.errors import BadRequest
from modules.library.chats.places import CHAT, Place, Places
from modules.library.chats.text import id_at
from modules.library.folder import Folder

_SUFFIX: Final = "_persistent.json"
_PREFIX: Final = "persistent_"


def move_into_place(logs: Path, places: Places) -> None:
    """Make each `<character>_persistent.json` and `persistent_<character>.json` one of that character's chats.

    A file whose character cannot have a folder stays where it is.
    """
    for path, character in list(_old_files(logs)):
        with suppress(BadRequest, FileNotFoundError):
            _move(path, places.folder(Place(character)))


def _move(path: Path, folder: Folder) -> None:
    moment = datetime.fromtimestamp(path.stat().st_mtime, UTC).astimezone()
    while (target := folder.new(id_at(moment), CHAT)).exists():
        moment += timedelta(seconds=1)
    folder.path.mkdir(parents=True, exist_ok=True)
    path.rename(target)


def _old_files(logs: Path) -> Iterator[tuple[Path, str]]:
    try:
        names = os.listdir(logs)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        path = logs / name
        if name.endswith(_SUFFIX) and path.is_file():
            yield path, name.removesuffix(_SUFFIX)
        elif name.startswith(_PREFIX) and name.endswith(CHAT) and path.is_file():
            yield path, name.removeprefix(_PREFIX).removesuffix(CHAT)
