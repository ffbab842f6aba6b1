"""Extracts the text of PDF and DOCX documents; runs in the attachments' own process."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import Final

import docx
from docx.table import Table
from docx.text.paragraph import Paragraph
from pypdf import PdfReader
from pypdf.errors import FileNotDecryptedError, WrongPasswordError

from modules.media.pictures.decoding import Unreadable

# A DOCX of some kilobytes may unpack to gigabytes.
_MAX_UNPACKED: Final = 200 * 2**20
_MAX_PART: Final = 50 * 2**20
_MAX_PARTS: Final = 5_000
_MAIN_PART: Final = "word/document.xml"


def pdf_text(content: bytes, most: int) -> str:
    """Pages stand apart by an empty line. Raises Unreadable."""
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("is protected by a password; save it without one.")
        return _joined((page.extract_text().strip() for page in reader.pages), most, "\n\n")
    except (FileNotDecryptedError, WrongPasswordError):
        raise Unreadable("is protected by a password; save it without one.") from None


def docx_text(content: bytes, most: int) -> str:
    """Paragraphs in lines of their own, cells of a row between bars. Raises Unreadable."""
    _refuse_bombs(content)
    document = docx.Document(io.BytesIO(content))
    return _joined(_lines(document.iter_inner_content()), most, "\n")


def _refuse_bombs(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile:
        raise Unreadable("is broken and cannot be read.") from None
    if _MAIN_PART not in {part.filename for part in parts}:
        raise Unreadable("is an archive, but no DOCX document.")
    sizes = [part.file_size for part in parts]
    if len(parts) > _MAX_PARTS or sum(sizes) > _MAX_UNPACKED or max(sizes) > _MAX_PART:
        raise Unreadable("unpacks to more than a document may have.")


def _lines(blocks: Iterable[Paragraph | Table]) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, Paragraph):
            yield block.text
        else:
            for row in block.rows:
                yield " | ".join(cell.text.replace("\n", " ") for cell in row.cells)


def _joined(pieces: Iterable[str], most: int, between: str) -> str:
    """Stops reading as soon as there is more than anybody will take; the caller refuses what is longer than `most`."""
    taken: list[str] = []
    length = 0
    for piece in pieces:
        taken.append(piece)
        length += len(piece)
        if length > most:
            break
    return between.join(taken)[: most + 1]
