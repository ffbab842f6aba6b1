"""Encoded pictures → upright RGB pixels on white, by Pillow; runs in the pictures' own process."""

import io
from typing import Final

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from pillow_heif import register_heif_opener

from modules.media.pictures.limits import ACCEPTED, MAX_PIXELS, MOST_PIXELS

# Preprocessors of models cut such pictures into thousands of tiles, or stop.
_MAX_RATIO: Final = 50
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "HEIF", "AVIF", "ICO")
_SNIFFED: Final = 2048
_ORIENTATION: Final = 0x0112
_SIDEWAYS: Final = frozenset({5, 6, 7, 8})
_WHITE: Final = (255, 255, 255, 255)
# Intermediate sizes at which hardly a difference is seen.
_REDUCING_GAP: Final = 3.0


class Unreadable(Exception):
    """The rest of a sentence that begins with the picture's name."""


def prepare() -> None:
    """Before the first picture."""
    Image.init()
    register_heif_opener()
    # Its own limit only warns, up to twice its number; MAX_PIXELS is checked instead.
    Image.MAX_IMAGE_PIXELS = None


def opened(content: bytes) -> Image.Image:
    """With its header read, nothing decoded, and its size within limits. Raises Unreadable."""
    _refuse_others(content)
    try:
        picture = Image.open(io.BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError:
        raise Unreadable(f"is broken, or of a format that is not read. Accepted are {ACCEPTED}.") from None
    width, height = picture.size
    if width < 1 or height < 1:
        raise Unreadable("has no pixels.")
    if width * height > MAX_PIXELS:
        raise Unreadable(f"has {width} × {height} pixels; {MAX_PIXELS // 1_000_000} million are the most.")
    return picture


def shown_size(picture: Image.Image, longest: int = 0) -> tuple[int, int]:
    """The size that `pixels` would have: upright, of MOST_PIXELS at most, and no side above `longest` (0: any).
    Raises Unreadable for extreme ratios."""
    width, height = picture.size
    if max(width, height) > _MAX_RATIO * min(width, height):
        raise Unreadable(f"has {width} × {height} pixels; one side may have {_MAX_RATIO} times the other, at most.")
    if picture.format != "HEIF" and picture.getexif().get(_ORIENTATION) in _SIDEWAYS:
        width, height = height, width
    scale = min(1.0, (MOST_PIXELS / (width * height)) ** 0.5, (longest or 2**30) / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def pixels(content: bytes, longest: int = 0) -> Image.Image:
    """The first frame in RGB. Raises Unreadable, and whatever Pillow raises for broken files."""
    with opened(content) as picture:
        size = shown_size(picture, longest)
        flat = on_white(scaled(upright(picture, max(size)), size))
        return in_srgb(flat, picture.info.get("icc_profile"))


def upright(picture: Image.Image, longest: int) -> Image.Image:
    """The first frame, turned as its EXIF data says; a JPEG decoded at a fraction of its size that is no smaller than
    `longest`, where there is one."""
    picture.draft(None, (longest, longest))
    picture.seek(0)
    return ImageOps.exif_transpose(picture)


def scaled(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """In a mode with eight bits for each of its channels."""
    plain = _eight_bits(picture)
    if plain.size == size:
        return plain
    return plain.resize(size, Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)


def on_white(picture: Image.Image) -> Image.Image:
    """What is transparent shows white, as on a page; many decoders drop the alpha channel and show what lies under it."""
    if picture.mode != "RGBA":
        return picture
    ground = Image.new("RGBA", picture.size, _WHITE)
    return Image.alpha_composite(ground, picture).convert("RGB")


def in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB as models were trained on it. A profile that cannot be used is passed over."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    """RGBA where there is transparency, else RGB, CMYK or L, which profiles are written for."""
    if picture.mode.startswith("I;16"):
        return _high_bytes(picture)
    if picture.mode in {"I", "F"}:
        return _stretched(picture)
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture if picture.mode in {"RGB", "CMYK", "L"} else picture.convert("L" if picture.mode == "1" else "RGB")


def _high_bytes(picture: Image.Image) -> Image.Image:
    """Sixteen bits scaled to eight; Pillow's own conversion cuts off what is above 255."""
    first = 0 if picture.mode.endswith("B") else 1
    return Image.frombytes("L", picture.size, picture.tobytes()[first::2])


def _stretched(picture: Image.Image) -> Image.Image:
    """32-bit values by what range they seem to be of: 0 to 1, to 255 or to 65535."""
    extrema = picture.getextrema()
    assert isinstance(extrema, tuple)
    _, most = extrema
    assert isinstance(most, int | float)
    top = 1.0 if picture.mode == "F" and most <= 1 else 255.0 if most <= 255 else max(65535.0, float(most))
    return picture.point(lambda value: value * (255.0 / top) + 0.0).convert("L")


def _refuse_others(content: bytes) -> None:
    """Files for which there is more to say than that they are no pictures."""
    start = content[:_SNIFFED].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<svg") or (start.startswith((b"<?xml", b"<!doctype")) and b"<svg" in start):
        raise Unreadable("is an SVG drawing, which may name other files and is not read here. Send it as PNG.")
    if start.startswith(b"%pdf-"):
        raise Unreadable("is a PDF document. Send it as a file part, or its pages as pictures.")
    if start.startswith((b"<html", b"<!doctype html")):
        raise Unreadable("is a web page, no picture. Send the address of the picture itself.")
