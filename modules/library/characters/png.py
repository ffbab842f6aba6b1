"""The texts in a PNG picture under the keys of character cards.

Chunks: W3C PNG specification, sections 5 and 11.3.3 (tEXt, zTXt, iTXt). They are read here rather than by Pillow, which
gives up on a picture with one damaged chunk and bounds texts below the size of large lorebooks.
"""

import zlib
from collections.abc import Iterator
from typing import Final

from modules.library.characters.pictures import PNG_MAGIC

# The third version of cards goes before the second.
CARD_KEYS: Final = ("ccv3", "chara")

_HEAD: Final = 8
_CHECKSUM: Final = 4


def card_texts(png: bytes, *, limit: int) -> Iterator[bytes]:
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
