"""What is said between `codec` and the process that reads and writes files of pictures."""

from typing import TypeAlias

import msgspec

from modules.backends.imaging.messages import Bitmap
from modules.media.images.requests import ImageFormat, MaskKind


class OpenPictures(msgspec.Struct, frozen=True, tag=True):
    """Decode these files, and keep them until the process ends. Answered by OpenedPictures."""

    sources: tuple[bytes, ...]
    mask: bytes | None
    mask_kind: MaskKind


class OpenedPictures(msgspec.Struct, frozen=True, tag=True):
    """Width and height of each source; whether there is a mask, be it the first source's transparency."""

    sizes: tuple[tuple[int, int], ...]
    has_mask: bool


class FitPictures(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The first source and its mask in the size `drawn`, and the others, of `reference_side` at most, as they are. The first
    one is kept in the size `finished` as well, to be put back around what is drawn. Answered by FittedPictures."""

    drawn: tuple[int, int]
    finished: tuple[int, int]
    stretches: bool
    uses_mask: bool
    mask_blur: int
    reference_side: int


class FittedPictures(msgspec.Struct, frozen=True, tag=True):
    """`mask` has a byte for each pixel: 255 is drawn anew, 0 stays."""

    source: Bitmap
    mask: bytes | None
    references: tuple[Bitmap, ...]


class EnlargePicture(msgspec.Struct, frozen=True, tag=True):
    """In that size, for another pass; what is of another shape is cut. Answered by FittedPictures."""

    bitmap: Bitmap
    size: tuple[int, int]


class EncodePicture(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """As a file. With `is_finished` what was to stay of the first source is put back. `text` goes into a PNG. Answered
    by EncodedPicture."""

    bitmap: Bitmap
    format: ImageFormat
    quality: int
    is_finished: bool
    text: str = ""


class EncodedPicture(msgspec.Struct, frozen=True, tag=True):
    data: bytes
    width: int
    height: int


CodecQuestion: TypeAlias = OpenPictures | FitPictures | EnlargePicture | EncodePicture
CodecAnswer: TypeAlias = OpenedPictures | FittedPictures | EncodedPicture
