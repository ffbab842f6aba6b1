"""Characters inside PNG pictures: base64 JSON in a text chunk, as TavernAI began it and other programs do it since.

Chunks: W3C PNG specification, section 5; `chara` and `ccv3` are the character cards' keys.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Final

from modules.errors import BadRequest
from modules.library.character_formats import CharacterText, character_text
from modules.library.pictures import MAX_PICTURE_BYTES, PNG_MAGIC
from modules.library.text_files import MAX_TEXT_BYTES, as_mapping, decoded, parse_json

_KEYS: Final = (b"chara", b"ccv3")
_HEAD: Final = 8
_CHECKSUM: Final = 4


def card_in_png(png: bytes, file_name: str) -> CharacterText:
    """Raises BadRequest when `png` carries no character."""
    if len(png) > MAX_PICTURE_BYTES:
        raise BadRequest(f"{file_name} is larger than {MAX_PICTURE_BYTES // 2**20} MiB.")
    texts = dict(_text_chunks(png))
    encoded = next((texts[key] for key in _KEYS if key in texts), None)
    if encoded is None:
        raise BadRequest(f"{file_name} is a picture without a character in it.")
    if len(encoded) > 2 * MAX_TEXT_BYTES:
        raise BadRequest(f"The character in {file_name} is larger than {MAX_TEXT_BYTES // 1024} KiB.")
    try:
        text = decoded(base64.b64decode(encoded, validate=True), file_name)
    except binascii.Error:
        raise BadRequest(f"The character in {file_name} is damaged: it is not base64.") from None
    return character_text(as_mapping(parse_json(text, file_name), file_name), file_name)


def _text_chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keyword and text of every tEXt chunk before the picture's end; what is cut off counts as the end."""
    place = len(PNG_MAGIC)
    while place + _HEAD <= len(png):
        length = int.from_bytes(png[place : place + 4])
        kind, end = png[place + 4 : place + _HEAD], place + _HEAD + length
        if kind == b"IEND" or end > len(png):
            return
        if kind == b"tEXt":
            keyword, _, text = png[place + _HEAD : end].partition(b"\0")
            yield keyword, text
        place = end + _CHECKSUM
