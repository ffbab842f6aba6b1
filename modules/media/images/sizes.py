"""Sizes of pictures: read, and brought to what a model draws. Pure."""

import re
from typing import Final

from modules.backends.imaging.messages import ImageCard
from modules.errors import BadRequest
from modules.media.images.requests import Size

_WRITTEN: Final = re.compile(r"\s*(\d{1,6})\s*[x×*X,]\s*(\d{1,6})\s*")
# Finished pictures, whatever a model draws: those of phones are larger than any model's.
MAX_KEPT_PIXELS: Final = 16 * 2**20


def parse_size(text: str | None) -> Size | None:
    """None for "auto" and nothing at all. Raises BadRequest."""
    if text is None or text.strip().lower() in {"", "auto"}:
        return None
    match = _WRITTEN.fullmatch(text)
    if match is None or 0 in (size := Size(int(match[1]), int(match[2]))):
        raise BadRequest(f"size is {text[:40]!a}. Write WIDTHxHEIGHT, such as 512x512, or auto.", param="size")
    return size


def drawable(size: Size, card: ImageCard) -> Size:
    """`size`, rounded down to multiples. Raises BadRequest for what the model does not draw."""
    multiple = card.size_multiple
    least, most = -(-card.min_side // multiple) * multiple, card.max_side // multiple * multiple
    rounded = Size(size.width // multiple * multiple, size.height // multiple * multiple)
    if not all(least <= side <= most for side in rounded):
        raise BadRequest(f"{card.name} draws sides of {least} to {most} pixels; size is {size}.", param="size")
    if rounded.width * rounded.height > card.max_pixels:
        raise BadRequest(
            f"{card.name} draws pictures of {card.max_pixels:,} pixels at most; {size} has {size.width * size.height:,}.",
            param="size",
        )
    return rounded


def near(size: Size, card: ImageCard) -> Size:
    """The size in which the model can draw a picture of that size: smaller or larger where it must be, of about the same
    shape."""
    width, height = float(size.width), float(size.height)
    grow = max(1.0, card.min_side / min(width, height))
    shrink = min(1.0, card.max_side / max(width, height) / grow, (card.max_pixels / (width * height)) ** 0.5 / grow)
    return Size(_side(width * grow * shrink, card), _side(height * grow * shrink, card))


def kept(size: Size) -> Size:
    """The size in which a picture that was changed in parts comes back: its own, if it is not huge."""
    share = (MAX_KEPT_PIXELS / (size.width * size.height)) ** 0.5
    return size if share >= 1 else Size(max(1, int(size.width * share)), max(1, int(size.height * share)))


def _side(length: float, card: ImageCard) -> int:
    multiple = card.size_multiple
    least = -(-card.min_side // multiple) * multiple
    # Rounding a hair below a multiple down would lose a whole one.
    return max(least, min(int(length + 1e-6), card.max_side) // multiple * multiple)
