"""Converts pictures to PNG or JPEG of a bounded size; runs in the attachments' own process."""

import base64
import io
from typing import Final

from PIL import Image, ImageOps

# Larger pictures cost tokens and show a model little more.
LONG_SIDE: Final = 1536
# Decoding takes four bytes for each pixel, whatever the file's size.
MAX_PIXELS: Final = 50_000_000
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
# Hardly different to look at, at a fraction of the size of 100.
_JPEG_QUALITY: Final = 90


class Unreadable(Exception):
    """The rest of a sentence that begins with the file's name."""


def small_picture(content: bytes) -> dict[str, str]:
    """Media type and base64 of the first frame, turned as its EXIF data says and free of it. Pictures with
    transparency become PNG, others what they were; the long side has 1536 pixels at most. Raises Unreadable."""
    with _opened(content) as picture:
        width, height = picture.size
        if width * height > MAX_PIXELS:
            raise Unreadable(f"has {width} × {height} pixels; {MAX_PIXELS // 1_000_000} million are the most.")
        is_photo = picture.format == "JPEG"
        # JPEG can be decoded at a fraction of its size.
        picture.draft("RGB", (LONG_SIDE, LONG_SIDE))
        picture.seek(0)
        upright = ImageOps.exif_transpose(picture)
        has_alpha = upright.has_transparency_data
        plain = upright.convert("RGBA" if has_alpha else "RGB")
    plain.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    return _encoded(plain, "JPEG" if is_photo else "PNG")


def _opened(content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=_FORMATS)
    except Image.DecompressionBombError:
        raise Unreadable(f"has more than {MAX_PIXELS // 1_000_000} million pixels; attach a smaller picture.") from None


def _encoded(picture: Image.Image, form: str) -> dict[str, str]:
    # A new picture has no comments, profiles or places of the old one.
    clean = Image.new(picture.mode, picture.size)
    clean.paste(picture)
    content = io.BytesIO()
    clean.save(content, form, quality=_JPEG_QUALITY) if form == "JPEG" else clean.save(content, form)
    return {"mime": f"image/{form.lower()}", "data": base64.b64encode(content.getvalue()).decode()}
