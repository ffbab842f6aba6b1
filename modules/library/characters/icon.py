"""The picture that comes with a character card, as PNG or JPEG.

Source: Character Card V3 specification, `assets`. Addresses elsewhere are never fetched.
"""

import base64
import binascii
import io
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote

from PIL import Image

from modules.library.characters.pictures import JPEG_MAGIC, MAX_PICTURE_BYTES, PNG_MAGIC

_ICON: Final = "icon"
_MAIN: Final = "main"
# The specification spells the first one so.
_EMBEDDED: Final = ("embeded://", "embedded://")
_DATA: Final = "data:"
_MAX_PIXELS: Final = 50_000_000
_LONG_SIDE: Final = 2048
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
