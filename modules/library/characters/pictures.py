"""The pictures of characters and users: files beside them, and those that come with a character card."""

import base64
import binascii
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from PIL import Image

from modules.errors import BadRequest
from modules.library.folder import Folder
from modules.paths import atomic_write, inside

PICTURE_SUFFIXES: Final = (".png", ".jpg", ".jpeg")
MAX_PICTURE_BYTES: Final = 16 * 2**20
PNG_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC: Final = b"\xff\xd8\xff"


def picture_beside(file: Path) -> Path | None:
    """The picture of what is in `file`, if it has one; one that links out of the folder does not count."""
    stem = file.name.removesuffix(file.suffix)
    for suffix in PICTURE_SUFFIXES:
        if os.path.isfile(file.with_name(stem + suffix)):
            return _contained(file.parent, stem + suffix)
    return None


def save_picture(folder: Folder, name: str, picture: bytes, *, param: str) -> None:
    """Put `picture` beside the file of that name, in place of one in any format. Raises BadRequest for other formats."""
    suffix = _suffix_for(picture, param)
    atomic_write(folder.new(name, suffix, param=param), without_card(picture))
    for other in set(PICTURE_SUFFIXES) - {suffix}:
        folder.new(name, other, param=param).unlink(missing_ok=True)


def remove_picture(folder: Folder, name: str, *, param: str) -> None:
    """Take away the picture beside the file of that name, if it has one."""
    for suffix in PICTURE_SUFFIXES:
        folder.new(name, suffix, param=param).unlink(missing_ok=True)


# The third version of cards goes before the second.
CARD_KEYS: Final = ("ccv3", "chara")
# The pictures and sounds that such a card may bring along in the same file.
_ASSET_KEY: Final = b"chara-ext-asset_"
_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
# Four bytes of length and four of kind before a chunk's data, four of checksum after it.
_HEAD: Final = 8
_CHECKSUM: Final = 4
# JPEG's segments for EXIF and XMP, and for comments.
_NOTES: Final = frozenset({0xE1, 0xFE})
_SCAN: Final = 0xDA


def png_chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Up to the picture's end; what is cut off counts as the end. Checksums are not looked at: what the text says will
    show whether it is whole."""
    for start, end in _chunk_places(png):
        yield png[start + 4 : start + _HEAD], png[start + _HEAD : end]


def without_card(picture: bytes) -> bytes:
    """The picture without the character that a PNG carries: what is edited later would not be in it."""
    if not picture.startswith(PNG_MAGIC):
        return picture
    return _without(picture, [place for place in _chunk_places(picture) if _is_card(picture, *place)], _CHECKSUM)


def without_notes(jpeg: bytes) -> bytes:
    """A JPEG picture without EXIF, XMP and comments."""
    return _without(jpeg, list(_note_places(jpeg)), 0)


def _chunk_places(png: bytes) -> Iterator[tuple[int, int]]:
    """Where each chunk begins, and where its content ends."""
    place = len(PNG_MAGIC)
    while place + _HEAD <= len(png):
        end = place + _HEAD + int.from_bytes(png[place : place + 4])
        if png[place + 4 : place + _HEAD] == b"IEND" or end > len(png):
            return
        yield place, end
        place = end + _CHECKSUM


def _is_card(png: bytes, start: int, end: int) -> bool:
    if png[start + 4 : start + _HEAD] not in _TEXTS:
        return False
    keyword = png[start + _HEAD : min(end, start + _HEAD + 80)].partition(b"\0")[0].lower()
    return keyword.startswith(_ASSET_KEY) or keyword.decode("latin-1") in CARD_KEYS


def _note_places(jpeg: bytes) -> Iterator[tuple[int, int]]:
    place = 2
    while place + 4 <= len(jpeg) and jpeg[place] == 0xFF and jpeg[place + 1] != _SCAN:
        end = place + 2 + int.from_bytes(jpeg[place + 2 : place + 4])
        if jpeg[place + 1] in _NOTES:
            yield place, end
        place = end


def _without(content: bytes, places: Sequence[tuple[int, int]], more: int) -> bytes:
    if not places:
        return content
    ends = [0, *(end + more for _, end in places)]
    starts = [*(start for start, _ in places), len(content)]
    return b"".join(content[end:start] for end, start in zip(ends, starts, strict=True))


def _contained(folder: Path, name: str) -> Path | None:
    try:
        return inside(folder, name)
    except BadRequest:
        return None


def _suffix_for(picture: bytes, param: str) -> str:
    if len(picture) > MAX_PICTURE_BYTES:
        raise BadRequest(f"A picture may have {MAX_PICTURE_BYTES // 2**20} MiB at most.", param=param)
    if picture.startswith(PNG_MAGIC):
        return ".png"
    if picture.startswith(JPEG_MAGIC):
        return ".jpg"
    raise BadRequest("A picture must be a PNG or JPEG file.", param=param)


_ICON: Final = "icon"
_MAIN: Final = "main"
# The specification spells the first one so.
_EMBEDDED: Final = ("embeded://", "embedded://")
_DATA: Final = "data:"
# Decoding takes four bytes for each pixel, whatever the file's size.
_MAX_PIXELS: Final = 50_000_000
# Larger than any place of the page shows it.
_LONG_SIDE: Final = 2048
# What Pillow raises for damaged files, SyntaxError and TypeError among them.
_UNREADABLE: Final = (OSError, ValueError, SyntaxError, TypeError, Image.DecompressionBombError)


def icon_addresses(card: Mapping[str, object]) -> list[str]:
    """Of the card's icons, the main one first."""
    assets = card.get("assets")
    icons = [each for each in assets if isinstance(each, dict)] if isinstance(assets, list) else []
    icons = [each for each in icons if each.get("type") == _ICON and isinstance(each.get("uri"), str)]
    return [each["uri"] for each in sorted(icons, key=lambda each: each.get("name") != _MAIN)]


def embedded_path(address: str) -> str | None:
    """The path in the archive, if the address names one."""
    prefix = next((prefix for prefix in _EMBEDDED if address.lower().startswith(prefix)), None)
    return unquote(address[len(prefix) :]) if prefix else None


def pictures_within(card: Mapping[str, object]) -> Iterator[bytes]:
    """Icons that stand in the card itself."""
    for address in icon_addresses(card):
        if address.lower().startswith(_DATA) and len(address) <= 2 * MAX_PICTURE_BYTES:
            try:
                yield base64.b64decode(address.partition(",")[2])
            except (binascii.Error, ValueError):
                continue


def as_picture(content: bytes | None) -> bytes | None:
    """PNG and JPEG as they are, WebP as PNG; None for what is too large or no picture."""
    if not content or len(content) > MAX_PICTURE_BYTES:
        return None
    return content if content.startswith((PNG_MAGIC, JPEG_MAGIC)) else _from_webp(content)


def is_jpeg(content: bytes) -> bool:
    """Whether it can be shown: what stands before an archive may be there for its first bytes alone."""
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as opened:
            if opened.width * opened.height <= _MAX_PIXELS:
                opened.load()
                return True
    except _UNREADABLE:
        pass
    return False


def _from_webp(content: bytes) -> bytes | None:
    try:
        with Image.open(io.BytesIO(content), formats=("WEBP",)) as opened:
            if opened.width * opened.height > _MAX_PIXELS:
                return None
            plain = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    except _UNREADABLE:
        return None
    plain.thumbnail((_LONG_SIDE, _LONG_SIDE))
    clean = Image.new(plain.mode, plain.size)
    clean.paste(plain)
    png = io.BytesIO()
    clean.save(png, "PNG")
    return png.getvalue()
