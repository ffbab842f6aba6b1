"""The bytes that a request holds as text: data URLs, and base64 without anything around it."""

import base64
import binascii
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from modules.errors import BadRequest

MAX_BYTES: Final = 32 * 2**20
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}:")
_SPACE: Final = re.compile(r"[\s\u200b\ufeff]+")
# RFC 4648: the URL-safe alphabet, in terms of the usual one.
_URL_SAFE: Final = str.maketrans("-_", "+/")


def is_remote(source: str) -> bool:
    return source.lstrip()[:8].lower().startswith(("http://", "https://"))


def bytes_in(source: str, *, param: str) -> bytes:
    """What `source` holds: RFC 2397 with any or no media type, or only the base64, in either alphabet, with or without
    padding and line breaks. Raises BadRequest, for more than MAX_BYTES before anything is decoded."""
    text = source.strip()
    if text[:5].lower() == "data:":
        head, comma, body = text.partition(",")
        if not comma:
            raise BadRequest(f"{param} is a data URL without a comma.", param=param, code="invalid_base64")
        if not head.lower().rstrip().endswith(";base64"):
            _refuse_large(len(body) // 3, param)
            return _sized(unquote_to_bytes(body), param)
        return _decoded(body, param)
    if _SCHEME.match(text):
        raise BadRequest(
            f"{param} must be a data: URL or an address that begins with http:// or https://.",
            param=param,
            code="invalid_image_url",
        )
    return _decoded(text, param)


def _decoded(text: str, param: str) -> bytes:
    # Four letters are three bytes; what else stands among them makes the text longer only.
    if len(text) > 2 * MAX_BYTES:
        _refuse_large(MAX_BYTES + 1, param)
    letters = _SPACE.sub("", text).rstrip("=")
    if "%" in letters:
        letters = unquote_to_bytes(letters).decode("latin-1").rstrip("=")
    _refuse_large(len(letters) * 3 // 4, param)
    try:
        return _sized(base64.b64decode(letters.translate(_URL_SAFE) + "=" * (-len(letters) % 4), validate=True), param)
    except (binascii.Error, ValueError):
        raise BadRequest(f"{param} is no valid base64.", param=param, code="invalid_base64") from None


def _sized(content: bytes, param: str) -> bytes:
    _refuse_large(len(content), param)
    if not content:
        raise BadRequest(f"{param} is empty.", param=param, code="invalid_base64")
    return content


def _refuse_large(size: int, param: str) -> None:
    if size > MAX_BYTES:
        raise BadRequest(f"{param} has more than {MAX_BYTES // 2**20} MiB.", param=param, code="image_too_large")
