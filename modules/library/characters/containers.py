"""Files that carry character cards: CharX archives, and the texts of PNG, WebP and JPEG pictures."""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Final

from PIL import Image

from modules.errors import BadRequest
from modules.library.characters.pictures import CARD_KEYS, png_chunks


def png_card_texts(png: bytes, *, limit: int) -> Iterator[bytes]:
    """What stands under the cards' keys, best first; of a key that is there twice the last one goes first.

    Of a text that is longer than `limit` there is a byte more than that, of a damaged one nothing.
    """
    found = list(_texts(png, limit))
    for key in CARD_KEYS:
        yield from (text for keyword, text in reversed(found) if keyword == key)


def _texts(png: bytes, limit: int) -> Iterator[tuple[str, bytes]]:
    for kind, content in png_chunks(png):
        keyword, _, rest = content.partition(b"\0")
        name = keyword.decode("latin-1").lower()
        if kind == b"tEXt":
            yield name, rest[: limit + 1]
        elif kind == b"zTXt":
            yield name, _inflated(rest[1:], limit)
        elif kind == b"iTXt":
            is_compressed, text = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
            yield name, _inflated(text, limit) if is_compressed else text


def _inflated(content: bytes, limit: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(content, limit + 1)
    except zlib.error:
        return b""


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)


# Tags of the EXIF specification: the sub-directory, and the comment in it.
_EXIF: Final = 0x8769
_USER_COMMENT: Final = 0x9286
# EXIF 2.3, table 9: what the first eight bytes of a comment say of the others.
_CHARSET: Final = 8
_UNICODE: Final = b"UNICODE\0"
_CHARSETS: Final = (b"ASCII\0\0\0", _UNICODE, b"JIS\0\0\0\0\0", bytes(_CHARSET))
# Some programs write the bytes of a comment as decimal numbers.
_NUMBERS: Final = re.compile(rb"\s*\d{1,3}(?:\s*,\s*\d{1,3})+\s*")


def exif_card_texts(picture: bytes) -> Iterator[bytes]:
    """Best first."""
    try:
        with Image.open(io.BytesIO(picture), formats=("WEBP", "JPEG")) as opened:
            exif, xmp = opened.getexif(), opened.info.get("xmp", b"")
            order = "utf-16-be" if exif.endian == ">" else "utf-16-le"
            comments = (exif.get_ifd(_EXIF).get(_USER_COMMENT), exif.get(_USER_COMMENT))
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, struct.error, Image.DecompressionBombError):
        return
    for comment in comments:
        if comment:
            yield _from_comment(comment.encode() if isinstance(comment, str) else bytes(comment), order)
    yield from _from_xmp(xmp)


def _from_comment(comment: bytes, order: str) -> bytes:
    charset = next((each for each in _CHARSETS if comment.startswith(each)), b"")
    text = comment[len(charset) :]
    if charset == _UNICODE:
        text = text.decode(order, "replace").encode()
    text = text.strip(b"\0 \n")
    if _NUMBERS.fullmatch(text):
        return bytes(number for each in text.split(b",") if (number := int(each)) < 256)
    return text


def _from_xmp(xmp: bytes) -> Iterator[bytes]:
    for key in CARD_KEYS:
        pattern = rb"\b" + key.encode() + rb"\b[^A-Za-z0-9+/]{1,40}([A-Za-z0-9+/=\s]{20,})"
        yield from (found[1] for found in re.finditer(pattern, xmp))


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
