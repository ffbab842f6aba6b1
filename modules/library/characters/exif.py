"""The texts in a WebP or JPEG picture that may be a character card.

TavernAI and SillyTavern keep the card in EXIF's UserComment: as JSON, or as the numbers of its bytes between commas.
Others keep base64 under the cards' keys in XMP.
"""

import io
import re
import struct
from collections.abc import Iterator
from typing import Final

from PIL import Image

from modules.library.characters.png import CARD_KEYS

_EXIF: Final = 0x8769
_USER_COMMENT: Final = 0x9286
# EXIF 2.3, table 9: what the first eight bytes of a comment say of the others.
_CHARSET: Final = 8
_UNICODE: Final = b"UNICODE\0"
_CHARSETS: Final = (b"ASCII\0\0\0", _UNICODE, b"JIS\0\0\0\0\0", bytes(_CHARSET))
_NUMBERS: Final = re.compile(rb"\s*\d{1,3}(?:\s*,\s*\d{1,3})+\s*")


def card_texts(picture: bytes) -> Iterator[bytes]:
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
