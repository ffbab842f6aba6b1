"""Pictures that the tests send, and what came back."""

import base64
import io
from collections.abc import Callable
from typing import Any

from PIL import Image

Colour = tuple[int, ...]


def png(
    size: tuple[int, int] = (64, 48), colour: Colour = (200, 100, 50), mode: str = "RGB", form: str = "PNG"
) -> bytes:
    return encoded(Image.new(mode, size, colour), form)


def gradient(size: tuple[int, int]) -> Image.Image:
    """No two neighbouring pixels are alike."""
    picture = Image.new("RGB", size)
    picture.putdata([(x % 256, y % 256, (x * 7 + y * 13) % 256) for y in range(size[1]) for x in range(size[0])])
    return picture


def mask(size: tuple[int, int], is_drawn: Callable[[int, int], bool]) -> bytes:
    """Fully transparent where it is drawn anew."""
    picture = Image.new("RGBA", size)
    picture.putdata([(0, 0, 0, 0 if is_drawn(x, y) else 255) for y in range(size[1]) for x in range(size[0])])
    return encoded(picture)


def encoded(picture: Image.Image, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    picture.save(file, form)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def picture_of(entry: Any) -> Image.Image:
    """Of one entry of `data`, as the SDK or JSON has it."""
    values = entry if isinstance(entry, dict) else entry.model_dump()
    text = values.get("b64_json") or values["url"].partition(",")[2]
    return opened(base64.b64decode(text))


def data_url(data: bytes, mime: str = "image/png") -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"
