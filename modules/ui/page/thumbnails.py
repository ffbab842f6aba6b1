"""Small pictures of attached ones, so that a conversation with photographs stays light to show."""

import base64
import binascii
import hashlib
import io
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

from PIL import Image

from modules.library.chats.history import Attachment

# Twice the size at which it is shown, for screens with two pixels to a point.
_SIDE: Final = 320
# Decoding takes four bytes for each pixel, whatever the file's size.
_MAX_PIXELS: Final = 50_000_000
# More than a gallery shows at a time; one takes some tens of kilobytes.
_KEPT: Final = 200


class Thumbnails:
    """Keeps the last few; safe to share between threads."""

    def __init__(self) -> None:
        self._made: OrderedDict[bytes, str] = OrderedDict()
        self._lock = Lock()

    def of(self, attachment: Attachment) -> str:
        """A data URL, or nothing for what is no picture that can be read."""
        key = hashlib.sha256(attachment.image_data.encode()).digest()
        return self.kept(key, lambda: _thumbnail(attachment.image_data))

    def kept(self, key: bytes, make: Callable[[], str]) -> str:
        """What `make` gives for the `key`, made once."""
        with self._lock:
            known = self._made.get(key)
        if known is not None:
            return known
        made = make()
        with self._lock:
            self._made[key] = made
            if len(self._made) > _KEPT:
                self._made.popitem(last=False)
        return made


def _thumbnail(image_data: str) -> str:
    try:
        content = base64.b64decode(image_data.partition(",")[2], validate=True)
    except (ValueError, binascii.Error):
        return ""
    small = small_jpeg(content)
    return data_url(small, "image/jpeg") if small else ""


def small_jpeg(content: bytes, side: int = _SIDE) -> bytes:
    """Nothing for what is no picture that can be read."""
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "WEBP", "GIF")) as image:
            if image.width * image.height > _MAX_PIXELS:
                return b""
            image.thumbnail((side, side))
            small = io.BytesIO()
            image.convert("RGB").save(small, "JPEG", quality=80)
    except (OSError, ValueError, Image.DecompressionBombError):
        return b""
    return small.getvalue()


def data_url(image: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(image).decode()}"
