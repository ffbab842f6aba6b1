"""How a picture was made, as JSON in its PNG: `image_gen_settings`, which older versions wrote too."""

import json
import struct
import zlib
from collections.abc import Iterator
from datetime import datetime
from math import gcd
from types import MappingProxyType
from typing import Final

from modules.media.images.requests import SettingsOfPicture

TEXT_KEY: Final = "image_gen_settings"
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_CHUNK: Final = struct.Struct(">I4s")
_MAX_TEXT: Final = 2**18
_MAX_CHUNKS: Final = 64
_RATIOS: Final = MappingProxyType(
    {(1, 1): "1:1 Square", (16, 9): "16:9 Landscape", (9, 16): "9:16 Portrait", (4, 3): "4:3 Landscape"}
)


def aspect_ratio(width: int, height: int) -> str:
    """In the words of the page."""
    divisor = gcd(width, height) or 1
    return _RATIOS.get((width // divisor, height // divisor), "Custom")


def settings_text(settings: SettingsOfPicture) -> str:
    made = datetime.now().astimezone().isoformat(timespec="seconds")
    return json.dumps({**settings, "generated_at": made}, ensure_ascii=False)


def settings_of(file: bytes) -> SettingsOfPicture:
    """What a PNG says of how it was made; nothing for other files, and for what is no such text."""
    try:
        texts = (text for key, text in _texts(file) if key == TEXT_KEY)
        return parsed(next(texts, ""))
    except (struct.error, UnicodeDecodeError, zlib.error, ValueError):
        return {}


def parsed(text: str) -> SettingsOfPicture:
    """Only what has the type that settings have; anybody may have written it."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str | int | float)}


def _texts(file: bytes) -> Iterator[tuple[str, str]]:
    """The keys and texts that stand before the pixels."""
    if not file.startswith(_SIGNATURE):
        return
    at = len(_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        length, kind = _CHUNK.unpack_from(file, at)
        body = file[at + _CHUNK.size : at + _CHUNK.size + length]
        at += _CHUNK.size + length + 4
        if kind == b"IDAT" or kind == b"IEND":
            return
        key, _, rest = body[: _MAX_TEXT + 100].partition(b"\0")
        if kind == b"tEXt":
            yield key.decode("latin-1"), rest.decode("latin-1")
        elif kind == b"iTXt" and len(rest) >= 2:
            _, _, text = rest[2:].partition(b"\0")[2].partition(b"\0")
            yield key.decode("latin-1"), (_inflated(text) if rest[0] else text).decode()


def _inflated(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, _MAX_TEXT)
