"""The process that reads strangers' pictures and writes files of new ones; it lives for one request."""

import io
import logging
import warnings
from collections.abc import Iterable
from typing import Final

from PIL import Image, ImageChops, ImageFilter, ImageOps
from PIL.PngImagePlugin import PngInfo

from modules.backends.imaging.messages import Bitmap
from modules.errors import BadRequest
from modules.media.images.codec_messages import (
    CodecAnswer,
    CodecQuestion,
    EncodedPicture,
    EncodePicture,
    EnlargePicture,
    FitPictures,
    FittedPictures,
    OpenedPictures,
    OpenPictures,
)
from modules.media.images.metadata import TEXT_KEY
from modules.media.images.requests import ImageFormat, MaskKind
from modules.media.pictures import decoding
from modules.process.server import Task, serve

_HALF: Final = 128
# The smallest files of a level that takes no longer than drawing a step.
_PNG_LEVEL: Final = 6
_RESIZE: Final = Image.Resampling.LANCZOS


class _Codec:
    def __init__(self) -> None:
        self._sources: list[Image.Image] = []
        self._mask: Image.Image | None = None
        # What stays around what is drawn, and where: 255 is drawn.
        self._frame: Image.Image | None = None
        self._window: Image.Image | None = None

    def answer(self, question: CodecQuestion, _: Task) -> Iterable[CodecAnswer]:
        match question:
            case OpenPictures():
                yield self._open(question)
            case FitPictures():
                yield self._fit(question)
            case EnlargePicture(bitmap, size):
                larger = _in_size(decoding.on_white(_picture(bitmap)), size, False)
                yield FittedPictures(_bitmap(larger), None, ())
            case EncodePicture():
                yield self._encode(question)

    def _open(self, question: OpenPictures) -> OpenedPictures:
        self._sources = [_opened(data, "image") for data in question.sources]
        first = self._sources[0]
        if question.mask is not None:
            self._mask = _mask_of(_opened(question.mask, "mask"), question.mask_kind)
            # One pixel of a mask is one of the picture, whatever size it came in.
            self._mask = self._mask.resize(first.size, Image.Resampling.NEAREST)
            if question.mask_kind is MaskKind.PAINTED and self._mask.getbbox() is None:
                self._mask = None
        elif first.mode == "RGBA":
            holes = _transparent(first)
            self._mask = holes if holes.getbbox() is not None else None
        return OpenedPictures(tuple(each.size for each in self._sources), self._mask is not None)

    def _fit(self, question: FitPictures) -> FittedPictures:
        first, *others = self._sources
        source = _in_size(decoding.on_white(first), question.drawn, question.stretches)
        mask = self._mask if question.uses_mask else None
        if mask is not None:
            self._frame = _in_size(first, question.finished, question.stretches)
            self._window = _in_size(mask, question.finished, question.stretches, Image.Resampling.NEAREST)
            if question.mask_blur:
                self._window = self._window.filter(ImageFilter.GaussianBlur(question.mask_blur))
            mask = _in_size(mask, question.drawn, question.stretches, Image.Resampling.NEAREST)
        references = []
        for other in others:
            plain = decoding.on_white(other)
            plain.thumbnail((question.reference_side, question.reference_side), _RESIZE)
            references.append(_bitmap(plain))
        return FittedPictures(_bitmap(source), None if mask is None else mask.tobytes(), tuple(references))

    def _encode(self, question: EncodePicture) -> EncodedPicture:
        picture = _picture(question.bitmap)
        if question.is_finished and self._frame is not None and self._window is not None:
            frame = self._frame
            drawn = picture.convert(frame.mode).resize(frame.size, _RESIZE)
            picture = Image.composite(drawn, frame, self._window)
        return EncodedPicture(_file(picture, question), *picture.size)


def _opened(data: bytes, param: str) -> Image.Image:
    """RGB or RGBA, upright. Raises BadRequest, which quotes nothing that a library said."""
    try:
        with decoding.opened(data) as picture:
            decoding.shown_size(picture)
            turned = decoding.upright(picture, max(picture.size))
            plain = decoding.scaled(turned, turned.size)
            if plain.mode == "RGBA":
                return plain
            return decoding.in_srgb(plain, picture.info.get("icc_profile"))
    except decoding.Unreadable as failure:
        raise _bad(str(failure), param) from None
    except MemoryError:
        raise _bad("needs too much memory to be decoded.", param) from None
    except Exception:  # noqa: BLE001 - libraries raise anything about broken files, and say what is in memory
        raise _bad("is broken and cannot be decoded.", param) from None


def _bad(reason: str, param: str) -> BadRequest:
    return BadRequest(f"The {param} {reason}", param=param, code="invalid_image")


def _mask_of(picture: Image.Image, kind: MaskKind) -> Image.Image:
    if kind is MaskKind.ALPHA:
        if picture.mode != "RGBA":
            raise _bad("has no transparency. What is fully transparent in a mask is drawn anew.", "mask")
        return _transparent(picture)
    if kind is MaskKind.PAINTED:
        return ImageChops.invert(_transparent(picture.convert("RGBA")))
    is_drawn = (lambda value: 255 if value >= _HALF else 0) if kind is MaskKind.LUMA else _dark
    return decoding.on_white(picture).convert("L").point(is_drawn)


def _dark(value: int) -> int:
    return 255 if value < _HALF else 0


def _transparent(picture: Image.Image) -> Image.Image:
    return picture.getchannel("A").point(lambda value: 0 if value else 255)


def _in_size(
    picture: Image.Image, size: tuple[int, int], stretches: bool, method: Image.Resampling = _RESIZE
) -> Image.Image:
    if picture.size == tuple(size):
        return picture
    return picture.resize(size, method) if stretches else ImageOps.fit(picture, size, method)


def _picture(bitmap: Bitmap) -> Image.Image:
    mode = "RGBA" if bitmap.channels == 4 else "RGB"
    return Image.frombuffer(mode, (bitmap.width, bitmap.height), bitmap.data, "raw", mode, 0, 1)


def _bitmap(picture: Image.Image) -> Bitmap:
    return Bitmap(*picture.size, len(picture.getbands()), picture.tobytes())


def _file(picture: Image.Image, question: EncodePicture) -> bytes:
    content = io.BytesIO()
    match question.format:
        case ImageFormat.PNG:
            info = PngInfo()
            if question.text:
                info.add_itxt(TEXT_KEY, question.text)
            picture.save(content, "PNG", compress_level=_PNG_LEVEL, pnginfo=info)
        case ImageFormat.WEBP:
            picture.save(content, "WEBP", quality=question.quality)
        case ImageFormat.JPEG:
            decoding.on_white(picture).save(content, "JPEG", quality=max(1, question.quality), subsampling=0)
    return content.getvalue()


def run() -> None:
    logging.disable()
    warnings.simplefilter("ignore")
    decoding.prepare()
    serve(_Codec().answer, questions=CodecQuestion)
