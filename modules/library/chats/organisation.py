"""The file beside the conversations that says how they are arranged; theirs are left as they are."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Final

from modules.errors import BadRequest
from modules.library.chats.arrangement import Arrangement, ChatFolder, ChatNotes, ChatOrigin
from modules.library.chats.file import as_object, filled, list_at, mapping_at, objects_at, without
from modules.library.chats.history import id_at
from modules.library.chats.places import Place, key_of
from modules.library.text_files import decoded, parse_json, read_bytes, read_text, text_at
from modules.paths import atomic_write

# Ten thousand chats with a title each have two megabytes.
_MAX_BYTES: Final = 2**25
_PLACES: Final = "places"
_OF_A_PLACE: Final = ("folders", "chats", "former")
_OF_A_CHAT: Final = ("title", "pinned", "folder", "tags", "branched_from")


class Organisation:
    """Safe to share between threads. What else stands in the file stays. One that cannot be read counts as empty, and is
    kept under another name when something is changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = RLock()
        self._read: tuple[tuple[int, int], Mapping[str, object]] | None = None
        self._kept_aside = ""

    @property
    def problem(self) -> str:
        """What is wrong with the file, and what became of it; empty where all is well."""
        with self._lock:
            try:
                for content in mapping_at(self._content(), _PLACES, self._path.name).values():
                    _arrangement(as_object(content, self._path.name), self._path.name)
            except BadRequest as error:
                return f"{error.message} Pins, folders and tags are not shown until it is repaired or removed."
            if self._kept_aside:
                return f"Pins, folders and tags began anew: the damaged file is kept as {self._kept_aside}."
            return ""

    def stored(self) -> bytes:
        """The content of the file, as it is; of none, an empty object."""
        with self._lock:
            try:
                return read_bytes(self._path, limit=_MAX_BYTES)
            except (BadRequest, FileNotFoundError):
                return b"{}"

    def of(self, place: Place) -> Arrangement:
        with self._lock:
            try:
                return self._arrangement(place)
            except BadRequest:
                return Arrangement()

    def change(self, place: Place, act: Callable[[Arrangement], Arrangement]) -> Arrangement:
        """What `act` makes of the arrangement, written. Raises what it raises, and OSError."""
        with self._lock:
            try:
                before = self._arrangement(place)
            except BadRequest:
                self._keep_aside()
                before = Arrangement()
            after = act(before)
            if after != before:
                self._write(place, after)
            return after

    def _arrangement(self, place: Place) -> Arrangement:
        places = mapping_at(self._content(), _PLACES, self._path.name)
        return _arrangement(mapping_at(places, key_of(place), self._path.name), self._path.name)

    def _content(self) -> Mapping[str, object]:
        try:
            status = os.stat(self._path)
        except OSError:
            return {}
        stamp = status.st_mtime_ns, status.st_size
        if self._read is None or self._read[0] != stamp:
            try:
                text = read_text(self._path, limit=_MAX_BYTES)
            except FileNotFoundError:
                return {}
            self._read = stamp, as_object(parse_json(text, self._path.name), self._path.name)
        return self._read[1]

    def _write(self, place: Place, arrangement: Arrangement) -> None:
        content = self._content()
        places = mapping_at(content, _PLACES, self._path.name)
        kept = without(mapping_at(places, key_of(place), self._path.name), *_OF_A_PLACE)
        changed = {**content, _PLACES: {**places, key_of(place): {**kept, **_stored(arrangement)}}}
        atomic_write(self._path, json.dumps(changed, indent=1))
        self._read = None

    def _keep_aside(self) -> None:
        aside = self._path.with_name(f"{self._path.stem}.damaged-{id_at(datetime.now(UTC).astimezone())}.json")
        os.replace(self._path, aside)
        self._kept_aside, self._read = aside.name, None


def arrangement_in(content: bytes) -> dict[str, Arrangement]:
    """What such a file says of each place, by the name of `key_of`. Raises BadRequest."""
    name = "organisation.json"
    places = mapping_at(as_object(parse_json(decoded(content, name), name), name), _PLACES, name)
    return {key: _arrangement(as_object(each, name), name) for key, each in places.items()}


def _arrangement(content: Mapping[str, object], file_name: str) -> Arrangement:
    chats = mapping_at(content, "chats", file_name)
    folders = tuple(_folder(each, file_name) for each in objects_at(content, "folders", file_name))
    known = {folder.id for folder in folders}
    top = {folder.id for folder in folders if folder.parent not in known}
    former = mapping_at(content, "former", file_name)
    return Arrangement(
        # Rings and third levels, which only others write, are taken apart.
        folders=tuple(replace(each, parent=each.parent if each.parent in top else "") for each in folders),
        chats={
            chat: _notes(as_object(notes, f"{file_name}: {chat!a}"), known, file_name) for chat, notes in chats.items()
        },
        former={old: str(new) for old, new in former.items()},
    )


def _folder(content: Mapping[str, object], file_name: str) -> ChatFolder:
    folder_id, name = text_at(content, "id", file_name), text_at(content, "name", file_name)
    if not folder_id or not name:
        raise BadRequest(f"{file_name}: a folder has no `id` or no `name`.")
    return ChatFolder(id=folder_id, name=name, parent=text_at(content, "parent", file_name))


def _notes(content: Mapping[str, object], folders: set[str], file_name: str) -> ChatNotes:
    """A folder that is not there any more is none."""
    folder = text_at(content, "folder", file_name)
    return ChatNotes(
        title=text_at(content, "title", file_name),
        is_pinned=bool(content.get("pinned")),
        folder=folder if folder in folders else "",
        tags=tuple(str(tag) for tag in list_at(content, "tags", file_name)),
        origin=_origin(content.get("branched_from")),
        extra=without(content, *_OF_A_CHAT),
    )


def _origin(content: object) -> ChatOrigin | None:
    match content:
        case {"chat": str() as chat, "row": int() as row, **more} if chat and row >= 0:
            digest = more.get("digest")
            return ChatOrigin(chat=chat, row=row, digest=digest if isinstance(digest, str) else "")
    return None


def _stored(arrangement: Arrangement) -> dict[str, object]:
    return {
        "folders": [
            {"id": each.id, "name": each.name, **filled({"parent": each.parent})} for each in arrangement.folders
        ],
        "chats": {chat: _stored_notes(notes) for chat, notes in arrangement.chats.items()},
        "former": dict(arrangement.former),
    }


def _stored_notes(notes: ChatNotes) -> dict[str, object]:
    said = {"title": notes.title, "pinned": notes.is_pinned, "folder": notes.folder, "tags": list(notes.tags)}
    origin = {} if notes.origin is None else {"branched_from": asdict(notes.origin)}
    return {**notes.extra, **filled(said), **origin}
