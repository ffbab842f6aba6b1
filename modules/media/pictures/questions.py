"""What is said between `reader` and the process that decodes pictures."""

import msgspec


class PictureQuestion(msgspec.Struct, frozen=True):
    """`longest` bounds the sides in pixels, 0 does not; without `wants_pixels` only the size is answered."""

    content: bytes
    longest: int = 0
    wants_pixels: bool = True


class PictureAnswer(msgspec.Struct, frozen=True):
    """Rows of RGB pixels, or in `refused` the rest of a sentence that begins with the picture's name."""

    width: int = 0
    height: int = 0
    data: bytes = b""
    refused: str = ""
