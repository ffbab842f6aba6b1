"""Pictures of characters and users, as PNG or JPEG of modest size, shown without serving folders."""

import asyncio
import base64
import io
from pathlib import Path
from typing import Final

from PIL import Image

from modules.chat.attachments.attachments import read_attachment
from modules.errors import BadRequest
from modules.library.characters.pictures import MAX_PICTURE_BYTES, PNG_MAGIC
from modules.library.chats.history import Attachment
from modules.library.text_files import read_bytes
from modules.media.pictures.limits import MAX_PIXELS
from modules.ui.characters.stores import NO_PICTURE
from modules.ui.page.thumbnails import Thumbnails, data_url
from modules.ui.shell.internals import kept_file

_NOT_ONE: Final = "This is no picture. Choose a PNG, JPEG, WebP or GIF file."


async def taken_in(chosen: str | None, shown: Path | None, *, is_copy: bool) -> bytes | None:
    """What a save is to do about the picture, where the form has shown the one in `shown`: None leaves it, NO_PICTURE
    takes it away, all else replaces it. One who `is_copy` has none yet. Raises BadRequest for what is no picture."""
    if chosen is None:
        return None if shown is None or is_copy else NO_PICTURE
    content = await asyncio.to_thread(read_bytes, Path(chosen), limit=MAX_PICTURE_BYTES)
    if shown is not None and content == await asyncio.to_thread(read_bytes, shown, limit=MAX_PICTURE_BYTES):
        return content if is_copy else None
    attachment = await read_attachment("The picture", content)
    if not attachment.is_image:
        raise BadRequest(_NOT_ONE)
    return base64.b64decode(attachment.image_data.partition(",")[2])


def copy_for_page(picture: Path | None, folder: str) -> str | None:
    """A copy in the `folder` from which Gradio serves files; the same picture has the same copy."""
    if picture is None:
        return None
    try:
        content = read_bytes(picture, limit=MAX_PICTURE_BYTES)
    except (BadRequest, FileNotFoundError):
        return None
    return kept_file(content, f"picture{picture.suffix.lower()}", folder)


def avatar(picture: Path | None, thumbnails: Thumbnails) -> str:
    """A small data URL, or nothing."""
    if picture is None:
        return ""
    try:
        content = read_bytes(picture, limit=MAX_PICTURE_BYTES)
    except (BadRequest, FileNotFoundError):
        return ""
    kind = "png" if content.startswith(PNG_MAGIC) else "jpeg"
    return thumbnails.of(Attachment(name=picture.name, type="image", image_data=data_url(content, f"image/{kind}")))


def as_png(picture: Path) -> bytes:
    """The picture alone, without what else its file may carry. Raises BadRequest."""
    content = read_bytes(picture, limit=MAX_PICTURE_BYTES)
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise BadRequest(f"{picture.name} has too many pixels for a card.")
            plain = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise BadRequest(f"{picture.name} cannot be read as a picture.") from None
    clean = Image.new(plain.mode, plain.size)
    clean.paste(plain)
    png = io.BytesIO()
    clean.save(png, "PNG")
    return png.getvalue()
