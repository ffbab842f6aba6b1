"""Conversations to take along: one as a file, all as a ZIP, and both read back."""

import io
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from modules.errors import BadRequest, ServiceError
from modules.library.chats.arrangement import Arrangement, noted, with_parents
from modules.library.chats.file import MAX_CHAT_BYTES
from modules.library.chats.histories import Histories, Place
from modules.library.chats.markdown import history_of, markdown
from modules.library.chats.organisation import arrangement_in
from modules.library.chats.organised import OrganisedChats
from modules.library.chats.places import CHAT, key_of
from modules.library.text_files import decoded

MARKDOWN: Final = ".md"
_ZIP: Final = b"PK\x03\x04"
_ORGANISATION: Final = "organisation.json"
# Small archives can unfold into any amount.
_MAX_FILES: Final = 50_000
_MAX_BYTES: Final = 2**32
_CHUNK: Final = 2**20

Imported = tuple[Place, str]


class ChatArchive:
    """Blocks for as long as the disk takes. Who made a file that is read is not trusted."""

    def __init__(self, histories: Histories, chats: OrganisedChats) -> None:
        self._histories = histories
        self._chats = chats

    def markdown(self, place: Place, chat_id: str) -> bytes:
        """Raises NotFound, BadRequest."""
        text = markdown(self._chats.title(place, chat_id), self._histories.read(place, chat_id))
        return text.encode(errors="replace")

    def all(self) -> Iterator[bytes]:
        """A ZIP of all chats as they are, in the folders in which they are, and of how they are arranged."""
        with tempfile.TemporaryFile() as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for place, chat_id, path in self._histories.paths():
                    with suppress(OSError):
                        archive.write(path, f"{_folder(place)}/{chat_id}{CHAT}")
                archive.writestr(_ORGANISATION, self._chats.stored())
            file.seek(0)
            while part := file.read(_CHUNK):
                yield part

    def take_in(self, place: Place, file_name: str, content: bytes) -> list[Imported]:
        """The chats of a file, or of a ZIP; those that are here already as they are there are left out. Raises BadRequest."""
        if content.startswith(_ZIP):
            return self._take_all(place, content)
        return self._take(place, PurePosixPath(file_name.replace("\\", "/")).name, content)

    def _take(self, place: Place, name: str, content: bytes) -> list[Imported]:
        if not name.lower().endswith(MARKDOWN):
            return [(place, self._histories.import_file(place, name, content))]
        title, history = history_of(decoded(content, name))
        chat_id = self._histories.add(place, title or name.removesuffix(MARKDOWN), history)
        if title and chat_id != title:
            self._chats.call(place, chat_id, title)
        return [(place, chat_id)]

    def _take_all(self, place: Place, content: bytes) -> list[Imported]:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return self._take_members(place, archive)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            raise BadRequest("The ZIP file is damaged, or needs a password.", param="file") from error

    def _take_members(self, place: Place, archive: zipfile.ZipFile) -> list[Imported]:
        members = [each for each in archive.infolist() if not each.is_dir()]
        if len(members) > _MAX_FILES or sum(each.file_size for each in members) > _MAX_BYTES:
            raise BadRequest("The ZIP file holds more than can be imported at once.", param="file")
        found: list[Imported] = []
        arranged = _arranged(archive)
        for member in members:
            path = PurePosixPath(member.filename.replace("\\", "/"))
            if path.suffix.lower() not in {CHAT, MARKDOWN} or path.name == _ORGANISATION:
                continue
            with suppress(ServiceError):
                there = _place_of(path, place)
                content = _unpacked(archive, member)
                if self._histories.holds(there, path.stem, content):
                    continue
                taken = self._take(there, path.name, content)
                self._arrange(taken, path.stem, arranged.get(key_of(there), Arrangement()))
                found += taken
        return found

    def _arrange(self, taken: list[Imported], old_id: str, before: Arrangement) -> None:
        """What was noted of a chat is noted of it here, too."""
        if old_id not in before.chats:
            return
        for place, chat_id in taken:

            def act(now: Arrangement, chat_id: str = chat_id) -> Arrangement:
                notes = before.notes(old_id)
                now = noted(now, chat_id, replace(notes, folder=""))
                return with_parents(now, _names(before, notes.folder), chat_id)

            self._chats.change(place, act)


def _names(arrangement: Arrangement, folder_id: str) -> tuple[str, ...]:
    """Of a folder and of those that it is in, outermost first."""
    folder = next((each for each in arrangement.folders if each.id == folder_id), None)
    return () if folder is None else (*_names(arrangement, folder.parent), folder.name)


def _arranged(archive: zipfile.ZipFile) -> dict[str, Arrangement]:
    """None for an archive of another program, or one that cannot be read."""
    with suppress(KeyError, ServiceError):
        return arrangement_in(_unpacked(archive, archive.getinfo(_ORGANISATION)))
    return {}


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """What it says of its own size is not trusted."""
    with archive.open(member) as file:
        content = file.read(MAX_CHAT_BYTES + 1)
    if len(content) > MAX_CHAT_BYTES:
        raise BadRequest("A chat of the ZIP file is too large.", param="file")
    return content


def _place_of(path: PurePosixPath, here: Place) -> Place:
    match path.parent.parts:
        case (*_, "instruct"):
            return Place(None)
        case (*_, "chat", character):
            return Place(character)
        case _:
            return here


def _folder(place: Place) -> str:
    return "instruct" if place.character is None else f"chat/{place.character}"
