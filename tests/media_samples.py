"""Pictures and sounds for tests, decoded as prompts hold them."""

import struct
from collections.abc import Sequence
from hashlib import sha256

from modules.engine.types import Media, MediaKind


def picture(colour: Sequence[int], width: int = 40, height: int = 30, *, change: int | None = None) -> Media:
    """All of one colour; with `change`, that byte of it is another."""
    data = bytearray(bytes(colour) * (width * height))
    if change is not None:
        data[change] ^= 0xFF
    digest = sha256(f"image {width} {height} ".encode() + data).digest()
    return Media(kind=MediaKind.IMAGE, data=bytes(data), digest=digest, width=width, height=height)


def sound(samples: Sequence[float], rate: int) -> Media:
    data = struct.pack(f"<{len(samples)}f", *samples)
    return Media(kind=MediaKind.AUDIO, data=data, digest=sha256(f"audio {rate} ".encode() + data).digest(), rate=rate)
