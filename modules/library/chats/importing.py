"""Conversations from other programs, made safe, and from this program's oldest versions."""

import html
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from modules.errors import BadRequest
from modules.library.chats.history import Attachment, ChatTurn, History, id_at
from modules.library.chats.places import CHAT, Place, Places
from modules.library.folder import Folder

# SVG is left out: it can hold scripts.
_PICTURE: Final = re.compile(r"data:image/(png|jpeg|gif|webp|bmp);base64,[A-Za-z0-9+/]+={0,2}")
_WEB: Final = ("http://", "https://")


def made_safe(history: History) -> History:
    """Visible texts are the escaped texts, pictures that are none are left out, and so are links to anything but web
    pages."""
    rows = (replace(row, user=_safe_turn(row.user), assistant=_safe_turn(row.assistant)) for row in history.rows)
    return replace(history, rows=tuple(rows))


def _safe_turn(turn: ChatTurn) -> ChatTurn:
    return replace(
        turn,
        visible=html.escape(turn.text),
        versions=tuple(replace(version, visible=html.escape(version.text)) for version in turn.versions),
        attachments=tuple(_safe_attachments(turn.attachments)),
    )


def _safe_attachments(attachments: Iterable[Attachment]) -> Iterable[Attachment]:
    for attachment in attachments:
        if attachment.is_image and not _PICTURE.fullmatch(attachment.image_data):
            continue
        image = attachment.image_data if attachment.is_image else ""
        url = attachment.url if attachment.url.lower().startswith(_WEB) else ""
        yield replace(attachment, image_data=image, url=url, image_id="")


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
