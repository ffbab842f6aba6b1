"""Converts pictures to PNG or JPEG of a bounded size; runs in the attachments' own process."""

import base64
import io
from typing import Final

from PIL import Image

from modules.media.pictures.decoding import in_srgb, opened, scaled, shown_size, upright

# Larger pictures cost tokens and show a model little more.
LONG_SIDE: Final = 1536
_PHOTOS: Final = frozenset({"JPEG", "MPO", "HEIF", "AVIF"})
# Hardly different to look at, at a fraction of the size of 100.
_JPEG_QUALITY: Final = 90


def small_picture(content: bytes) -> dict[str, str]:
    """Media type and base64 of the first frame, turned as its EXIF data says and free of it. Pictures with
    transparency become PNG, others JPEG where they are photos; the long side has 1536 pixels at most. Raises
    Unreadable."""
    with opened(content) as picture:
        size = shown_size(picture, LONG_SIDE)
        is_photo = picture.format in _PHOTOS
        profile = picture.info.get("icc_profile")
        plain = scaled(upright(picture, max(size)), size)
    has_alpha = plain.mode == "RGBA"
    return _encoded(plain if has_alpha else in_srgb(plain, profile), "JPEG" if is_photo and not has_alpha else "PNG")


def _encoded(picture: Image.Image, form: str) -> dict[str, str]:
    # A new picture has no comments, profiles or places of the old one.
    clean = Image.new(picture.mode, picture.size)
    clean.paste(picture)
    content = io.BytesIO()
    clean.save(content, form, quality=_JPEG_QUALITY) if form == "JPEG" else clean.save(content, form)
    return {"mime": f"image/{form.lower()}", "data": base64.b64encode(content.getvalue()).decode()}
