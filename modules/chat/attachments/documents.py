"""Extracts the text of PDF, DOCX and HTML documents; runs in the attachments' own process."""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import Final

import docx
import lxml.html
from docx.table import Table
from docx.text.paragraph import Paragraph
from pypdf import PdfReader
from pypdf.errors import FileNotDecryptedError, WrongPasswordError
from readability import Document

from modules.media.pictures.decoding import Unreadable

# A DOCX of some kilobytes may unpack to gigabytes.
_MAX_UNPACKED: Final = 200 * 2**20
_MAX_PART: Final = 50 * 2**20
_MAX_PARTS: Final = 5_000
_MAIN_PART: Final = "word/document.xml"
_BETWEEN_PAGES: Final = "\n\n"
_MAIN_SHARE: Final = 0.25
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS: Final = frozenset(
    {*_HEADINGS, *("p", "div", "section", "article", "pre", "ul", "ol", "table", "blockquote", "figure", "dl")}
)
_LINES: Final = frozenset({"br", "li", "tr", "dt", "dd"})


def pdf_text(content: bytes, most: int) -> tuple[str, tuple[int, ...]]:
    """With the offsets at which pages begin; they stand apart by an empty line. Raises Unreadable."""
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("is protected by a password; save it without one.")
        return _paged((page.extract_text().replace("\f", " ").strip() for page in reader.pages), most)
    except (FileNotDecryptedError, WrongPasswordError):
        raise Unreadable("is protected by a password; save it without one.") from None


def docx_text(content: bytes, most: int) -> str:
    """Paragraphs in lines of their own, cells of a row between bars. Raises Unreadable."""
    _refuse_bombs(content)
    document = docx.Document(io.BytesIO(content))
    return _joined(_lines(document.iter_inner_content()), most, "\n")


def html_text(content: bytes, most: int) -> str:
    """Title and main text of a page, headings marked as in Markdown; without menus and scripts where it is clear what is
    one. Raises Unreadable."""
    document = Document(content)
    whole = lxml.html.fromstring(content)
    for element in whole.xpath("//script|//style|//noscript|//template"):
        element.drop_tree()
    main = _block_text(lxml.html.fromstring(document.summary(html_partial=True)))
    everything = _block_text(whole.body if whole.body is not None else whole)
    # Pages of many short parts, such as references, have no main text to be told from the rest.
    text = main if len(main) >= _MAIN_SHARE * len(everything) else everything
    title = " ".join(document.title().split())
    return f"# {title}\n\n{text}"[: most + 1] if title and title != "[no-title]" else text[: most + 1]


def _block_text(element: lxml.html.HtmlElement) -> str:
    """With an empty line around what browsers show as blocks."""
    for each in element.iter():
        if not isinstance(each.tag, str):
            continue
        if each.tag in _HEADINGS:
            each.text = f"{'#' * int(each.tag[1])} {(each.text or '').lstrip()}"
        if each.tag in _BLOCKS:
            each.text = f"\n\n{each.text or ''}"
            each.tail = f"\n\n{each.tail or ''}"
        elif each.tag in _LINES:
            each.tail = f"\n{each.tail or ''}"
    lines = (" ".join(line.split()) for line in element.text_content().splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


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


def _paged(pages: Iterable[str], most: int) -> tuple[str, tuple[int, ...]]:
    text = _joined((f"{page}\f" for page in pages), most, "")
    parts = text.split("\f")
    starts = [0]
    for part in parts[:-1]:
        starts.append(starts[-1] + len(part) + len(_BETWEEN_PAGES))
    return _BETWEEN_PAGES.join(parts).rstrip()[: most + 1], tuple(starts[: max(1, len(parts) - 1)])


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
