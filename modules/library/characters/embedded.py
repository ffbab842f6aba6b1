"""Character cards in the texts of PNG, WebP and JPEG pictures."""

import io
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Final

from PIL import Image

from modules.library.characters.pictures import PNG_MAGIC

# The third version of cards goes before the second.
CARD_KEYS: Final = ("ccv3", "chara")

# Four bytes of length and four of kind before a chunk's data, four of checksum after it.
_HEAD: Final = 8
_CHECKSUM: Final = 4


def png_card_texts(png: bytes, *, limit: int) -> Iterator[bytes]:
    """What stands under the cards' keys, best first; of a key that is there twice the last one goes first.

    Of a text that is longer than `limit` there is a byte more than that, of a damaged one nothing.
    """
    found = list(_texts(png, limit))
    for key in CARD_KEYS:
        yield from (text for keyword, text in reversed(found) if keyword == key)


def _texts(png: bytes, limit: int) -> Iterator[tuple[str, bytes]]:
    for kind, content in _chunks(png):
        keyword, _, rest = content.partition(b"\0")
        name = keyword.decode("latin-1").lower()
        if kind == b"tEXt":
            yield name, rest[: limit + 1]
        elif kind == b"zTXt":
            yield name, _inflated(rest[1:], limit)
        elif kind == b"iTXt":
            is_compressed, text = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
            yield name, _inflated(text, limit) if is_compressed else text


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Up to the picture's end; what is cut off counts as the end. Checksums are not looked at: what the text says will
    show whether it is whole."""
    place = len(PNG_MAGIC)
    while place + _HEAD <= len(png):
        length = int.from_bytes(png[place : place + 4])
        kind, end = png[place + 4 : place + _HEAD], place + _HEAD + length
        if kind == b"IEND" or end > len(png):
            return
        yield kind, png[place + _HEAD : end]
        place = end + _CHECKSUM


def _inflated(content: bytes, limit: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(content, limit + 1)
    except zlib.error:
        return b""


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
