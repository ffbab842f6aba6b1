"""CharX files: a ZIP archive with `card.json` and assets, alone or behind a JPEG picture.

Source: Character Card V3 specification, "CHARX". Nothing is unpacked to disk, and only what is asked for is read.
"""

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Final

from modules.errors import BadRequest

ZIP_MAGIC: Final = b"PK\x03\x04"

_CARD: Final = "card.json"
# Counted before zipfile reads the directory, which makes an object of each entry.
_ENTRY: Final = b"PK\x01\x02"
_MAX_ENTRIES: Final = 10_000
# An archive of some kilobytes can state any size; assets of real cards are far below it.
_MAX_UNPACKED: Final = 2**30
# What zipfile raises for damaged archives; nothing lists them in one place.
_DAMAGED: Final = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    KeyError,
)


def is_charx(content: bytes) -> bool:
    """Whether there is an archive in it, whole or not."""
    is_cut_off = ZIP_MAGIC in content and _CARD.encode() in content.lower()
    return is_cut_off or content.startswith(ZIP_MAGIC) or zipfile.is_zipfile(io.BytesIO(content))


@dataclass(frozen=True, slots=True)
class CharX:
    """`before` is what stands in front of the archive."""

    archive: zipfile.ZipFile
    card: zipfile.ZipInfo
    before: bytes
    file_name: str

    @classmethod
    def opened(cls, content: bytes, file_name: str) -> "CharX":
        """Raises BadRequest for what is damaged, holds no card, or may not be what it says."""
        if content.count(_ENTRY) > _MAX_ENTRIES:
            raise BadRequest(f"{file_name} holds more than {_MAX_ENTRIES:,} files, too many for a character.")
        try:
            archive = zipfile.ZipFile(io.BytesIO(content))
        except _DAMAGED:
            raise _damaged(file_name) from None
        entries = [each for each in archive.infolist() if not each.is_dir()]
        if any(_leads_out(each.filename) for each in archive.infolist()):
            raise BadRequest(f"{file_name} holds a file whose name leads out of its folder, so it is not read.")
        if sum(each.file_size for each in entries) > _MAX_UNPACKED:
            raise BadRequest(
                f"{file_name} unpacks to more than {_MAX_UNPACKED // 2**20} MiB, too much for a character."
            )
        cards = [each for each in entries if PurePosixPath(each.filename.lower()).name == _CARD]
        if not cards:
            raise BadRequest(f"{file_name} is a ZIP archive without a character in it: there is no {_CARD}.")
        card = min(cards, key=lambda each: each.filename.count("/"))
        before = content[: min(each.header_offset for each in archive.infolist())]
        return cls(archive, card, before, file_name)

    def card_text(self, *, limit: int) -> bytes:
        """Raises BadRequest when it is damaged or longer than `limit`."""
        if self.card.file_size > limit:
            raise BadRequest(f"The character in {self.file_name} is larger than {limit // 2**20} MiB.")
        return self._content(self.card, limit)

    def asset(self, path: str, *, limit: int) -> bytes | None:
        """The content of the file at `path` beside the card; None when there is none of at most `limit` bytes."""
        wanted = (PurePosixPath(self.card.filename).parent / path).as_posix().lower()
        for entry in self.archive.infolist():
            if entry.filename.lower() == wanted and 0 < entry.file_size <= limit:
                return self._content(entry, limit)
        return None

    def _content(self, entry: zipfile.ZipInfo, limit: int) -> bytes:
        """What an entry says of its size is checked by reading no more than that."""
        try:
            with self.archive.open(entry) as file:
                content = file.read(limit + 1)
        except _DAMAGED:
            raise _damaged(self.file_name) from None
        if len(content) > limit:
            raise _damaged(self.file_name)
        return content


def _leads_out(name: str) -> bool:
    path = PureWindowsPath(name)
    return bool(path.drive or path.root) or ".." in path.parts


def _damaged(file_name: str) -> BadRequest:
    return BadRequest(f"{file_name} is a damaged ZIP archive, or one that is encrypted; export the character again.")
