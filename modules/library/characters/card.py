"""Imports characters of other programs: text files, pictures with a card in them, CharX archives."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from modules.errors import BadRequest
from modules.library.characters.charx import ZIP_MAGIC, CharX, is_charx
from modules.library.characters.embedded import exif_card_texts, png_card_texts
from modules.library.characters.formats import CharacterText, card_fields, character_text
from modules.library.characters.pictures import (
    JPEG_MAGIC,
    MAX_PICTURE_BYTES,
    PNG_MAGIC,
    as_picture,
    embedded_path,
    icon_addresses,
    is_jpeg,
    pictures_within,
)
from modules.library.text_files import MAX_TEXT_BYTES, as_mapping, decoded, parse_json, parse_yaml

# Large archives of pictures and sounds come with some characters, and lorebooks of megabytes with others.
MAX_FILE_BYTES: Final = 64 * 2**20
# Cards with large books of lore have some megabytes.
MAX_CARD_BYTES: Final = 16 * 2**20

# As base64, which may stand in lines.
_MAX_PACKED_BYTES: Final = 3 * MAX_CARD_BYTES // 2
_JSON: Final = ".json"


@dataclass(frozen=True, slots=True)
class Card:
    """A character and its picture, PNG or JPEG, if there is one."""

    text: CharacterText
    picture: bytes | None = None


def read_card(content: bytes, file_name: str) -> Card:
    """By what the file is, whatever it is called. Raises BadRequest when `content` holds no character."""
    if content.startswith(PNG_MAGIC):
        _check_size(content, file_name, MAX_PICTURE_BYTES)
        texts = png_card_texts(content, limit=_MAX_PACKED_BYTES)
        return Card(_first_readable(texts, file_name), content)
    _check_size(content, file_name, MAX_FILE_BYTES)
    if content.startswith((ZIP_MAGIC, JPEG_MAGIC)) and is_charx(content):
        return _from_charx(CharX.opened(content, file_name), file_name)
    if content.startswith(JPEG_MAGIC) or (content.startswith(b"RIFF") and content[8:12] == b"WEBP"):
        _check_size(content, file_name, MAX_PICTURE_BYTES)
        text = _first_readable(exif_card_texts(content), file_name)
        return Card(text, as_picture(content))
    return _from_text(content, file_name)


def _from_charx(charx: CharX, file_name: str) -> Card:
    content = _json(charx.card_text(limit=MAX_CARD_BYTES), file_name)
    fields = card_fields(content)
    paths = filter(None, map(embedded_path, icon_addresses(fields)))
    icons = (charx.asset(path, limit=MAX_PICTURE_BYTES) for path in paths)
    before = [charx.before] if is_jpeg(charx.before) else []
    pictures = (as_picture(each) for found in (icons, pictures_within(fields), before) for each in found)
    return Card(character_text(content, file_name), next(filter(None, pictures), None))


def _from_text(content: bytes, file_name: str) -> Card:
    _check_size(content, file_name, MAX_CARD_BYTES)
    text = decoded(content, file_name)
    is_json = file_name.lower().endswith(_JSON) or text.lstrip().startswith("{")
    if not is_json:
        _check_size(content, file_name, MAX_TEXT_BYTES)
    parsed = as_mapping(parse_json(text, file_name) if is_json else parse_yaml(text, file_name), file_name)
    picture = next(filter(None, map(as_picture, pictures_within(card_fields(parsed)))), None)
    return Card(character_text(parsed, file_name), picture)


def _first_readable(texts: Iterable[bytes], file_name: str) -> CharacterText:
    """A damaged one does not hide a good one."""
    failure: BadRequest | None = None
    for text in texts:
        try:
            return character_text(_json(_plain(text, file_name), file_name), file_name)
        except BadRequest as error:
            failure = failure or error
    raise failure or BadRequest(f"{file_name} is a picture without a character in it.")


def _plain(text: bytes, file_name: str) -> bytes:
    """JSON, which stands there as base64, in lines or in one, or as it is."""
    if len(text) > _MAX_PACKED_BYTES:
        raise _too_large(file_name)
    if text.lstrip().startswith(b"{"):
        return text
    packed = b"".join(text.split())
    try:
        if not packed:
            raise binascii.Error
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except binascii.Error:
        raise BadRequest(f"The character in {file_name} is damaged: it is not base64.") from None


def _json(content: bytes, file_name: str) -> Mapping[str, object]:
    if len(content) > MAX_CARD_BYTES:
        raise _too_large(file_name)
    return as_mapping(parse_json(decoded(content, file_name), file_name), file_name)


def _too_large(file_name: str) -> BadRequest:
    return BadRequest(f"The character in {file_name} is larger than {MAX_CARD_BYTES // 2**20} MiB.")


def _check_size(content: bytes, file_name: str, limit: int) -> None:
    if len(content) > limit:
        raise BadRequest(f"{file_name} is larger than {limit // 1024:,} KiB, too large for a character.")
