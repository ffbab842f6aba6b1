"""Thumbnails of the characters; one without a picture gets the first letter of its name."""

import hashlib
import io
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont, ImageOps

from modules.errors import ServiceError
from modules.library.characters.characters import Characters
from modules.library.characters.pictures import MAX_PICTURE_BYTES
from modules.library.text_files import read_bytes

_SIDE: Final = 256
_MAX_PIXELS: Final = 64_000_000
_LETTER_SIZE: Final = 120


class Pictures:
    """Reads files when it is asked; what is no picture counts as none."""

    def __init__(self, characters: Characters) -> None:
        self._characters = characters

    def first(self, count: int) -> list[tuple[Image.Image, str]]:
        """Of that many characters, in the order of their names."""
        return [(self._of(name), name) for name in self._characters.names()[:count]]

    def _of(self, name: str) -> Image.Image:
        try:
            path = self._characters.read(name).picture
            return letter(name) if path is None else small(path)
        except (ServiceError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return letter(name)


def small(path: Path) -> Image.Image:
    """Square, without whatever else is in the file. Raises what Pillow raises, and BadRequest for too large a file."""
    with Image.open(io.BytesIO(read_bytes(path, limit=MAX_PICTURE_BYTES)), formats=("PNG", "JPEG")) as opened:
        if opened.width * opened.height > _MAX_PIXELS:
            raise ValueError("too many pixels")
        return ImageOps.fit(opened.convert("RGB"), (_SIDE, _SIDE))


def letter(name: str) -> Image.Image:
    """The same name always has the same colour."""
    hue = hashlib.sha256(name.encode()).digest()[0] * 360 // 256
    picture = Image.new("RGB", (_SIDE, _SIDE), f"hsl({hue}, 40%, 45%)")
    middle = (_SIDE / 2, _SIDE / 2)
    font = ImageFont.load_default(_LETTER_SIZE)
    ImageDraw.Draw(picture).text(middle, name[:1].upper(), fill="white", anchor="mm", font=font)
    return picture
