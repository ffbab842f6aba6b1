"""The pictures that stand beside characters and users."""

import os
from pathlib import Path
from typing import Final

from modules.errors import BadRequest
from modules.library.folder import Folder
from modules.paths import atomic_write, inside

PICTURE_SUFFIXES: Final = (".png", ".jpg", ".jpeg")
MAX_PICTURE_BYTES: Final = 16 * 2**20
PNG_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC: Final = b"\xff\xd8\xff"


def picture_beside(file: Path) -> Path | None:
    """The picture of what is in `file`, if it has one; one that links out of the folder does not count."""
    stem = file.name.removesuffix(file.suffix)
    for suffix in PICTURE_SUFFIXES:
        if os.path.isfile(file.with_name(stem + suffix)):
            return _contained(file.parent, stem + suffix)
    return None


def save_picture(folder: Folder, name: str, picture: bytes, *, param: str) -> None:
    """Put `picture` beside the file of that name, in place of one in any format. Raises BadRequest for other formats."""
    suffix = _suffix_for(picture, param)
    atomic_write(folder.new(name, suffix, param=param), picture)
    for other in set(PICTURE_SUFFIXES) - {suffix}:
        folder.new(name, other, param=param).unlink(missing_ok=True)


def remove_picture(folder: Folder, name: str, *, param: str) -> None:
    """Take away the picture beside the file of that name, if it has one."""
    for suffix in PICTURE_SUFFIXES:
        folder.new(name, suffix, param=param).unlink(missing_ok=True)


def _contained(folder: Path, name: str) -> Path | None:
    try:
        return inside(folder, name)
    except BadRequest:
        return None


def _suffix_for(picture: bytes, param: str) -> str:
    if len(picture) > MAX_PICTURE_BYTES:
        raise BadRequest(f"A picture may have {MAX_PICTURE_BYTES // 2**20} MiB at most.", param=param)
    if picture.startswith(PNG_MAGIC):
        return ".png"
    if picture.startswith(JPEG_MAGIC):
        return ".jpg"
    raise BadRequest("A picture must be a PNG or JPEG file.", param=param)
