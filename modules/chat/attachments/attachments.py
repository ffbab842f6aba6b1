"""Files that come with a message: pictures made small enough for a model, and the text of documents.

Whatever a file claims to be, it is opened in a process of its own with bounds on time and memory.
"""

import uuid
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from modules.chat.attachments.reading import FileAnswer, FileQuestion
from modules.errors import BadRequest
from modules.library.chats.history import Attachment
from modules.process.client import ask_once
from modules.process.failures import ProcessFailed, TimeLimitExceeded
from modules.process.limits import ProcessLimits
from modules.process.spec import ProcessSpec

MAX_FILE_BYTES: Final = 32 * 2**20
# About a hundred thousand tokens, more than most contexts hold.
MAX_TEXT: Final = 400_000
_ANSWER_BYTES: Final = 33 * 2**20
# The parent counts seconds; those of the processor are for the case that it is stopped.
_READER: Final = ProcessSpec(
    name="the reader of an attachment",
    entry="modules.chat.attachments.worker:run",
    limits=ProcessLimits(memory_bytes=2**30, cpu_seconds=40, file_bytes=0),
    max_frame_bytes=_ANSWER_BYTES,
)
_MAX_NAME: Final = 200
# The key, in the `extra` of an attachment, of the offsets in its text at which pages begin.
PAGE_STARTS: Final = "page_starts"
# Readers of PDF have always let some bytes stand before its beginning.
_PDF_JUNK: Final = 1024
_RULE: Final = "=" * 5
_PARAM: Final = "attachments"
ACCEPTED: Final = "PNG, JPEG, WebP, GIF, HEIC, AVIF, TIFF and BMP pictures, PDF and DOCX documents, and text in UTF-8"


@dataclass(frozen=True, slots=True)
class _Format:
    """What a kind of file is called, how the worker knows it, and how long it may take."""

    shown: str
    reader: str
    type: str
    seconds: float
    suffixes: tuple[str, ...]


_PICTURE_SUFFIXES: Final = (
    *(".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"),
    *(".heic", ".heif", ".avif", ".tif", ".tiff"),
)
_PICTURE: Final = _Format("picture", "picture", "image", 10.0, _PICTURE_SUFFIXES)
_PDF: Final = _Format("PDF document", "pdf", "application/pdf", 30.0, (".pdf",))
_DOCX: Final = _Format("DOCX document", "docx", "application/docx", 20.0, (".docx",))
_HTML: Final = _Format("HTML document", "html", "text/html", 20.0, (".html", ".htm", ".xhtml"))
_TEXT: Final = "text/plain"
_PICTURE_STARTS: Final = (
    *(b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a"),
    *(b"II*\0", b"MM\0*"),
)
# ISO 14496-12: HEIF and AVIF begin with a box that names their brand.
_PHONE_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"}
)


@dataclass(frozen=True, slots=True)
class DocumentText:
    """`page_starts` are the offsets at which pages begin; empty where there are none."""

    text: str
    page_starts: tuple[int, ...] = ()


async def read_document(name: str, content: bytes, *, most: int, is_page: bool = False) -> DocumentText:
    """The text of a document that is searched, of HTML its main text; `is_page` says that it is HTML whatever its name.
    What is longer than `most` is cut there. Raises BadRequest for pictures and for what cannot be read."""
    shown = _plain_name(name)
    if not content:
        raise _refused(f"{shown} is empty.")
    form = _format_of(shown, content)
    if form is _PICTURE:
        raise _refused(f"{shown} is a picture, in which no text can be searched.")
    if form is None and (is_page or shown.lower().endswith(_HTML.suffixes)):
        form = _HTML
    if form is None:
        return DocumentText(_decoded(shown, content)[:most])
    answer = await _asked(shown, form, content, most)
    if not answer.text.strip():
        raise _refused(f"{shown} holds no text.")
    return DocumentText(answer.text[:most], answer.page_starts)


async def read_attachment(name: str, content: bytes) -> Attachment:
    """What a model can read of the file `name`. Raises BadRequest, naming what is accepted or what is wrong."""
    shown = _plain_name(name)
    if len(content) > MAX_FILE_BYTES:
        raise _refused(f"{shown} is larger than {MAX_FILE_BYTES // 2**20} MiB, which is the most that can be attached.")
    if not content:
        raise _refused(f"{shown} is empty.")
    form = _format_of(shown, content)
    if form is None:
        return Attachment(name=shown, type=_TEXT, content=_checked(shown, _decoded(shown, content)))
    answer = await _asked(shown, form, content, MAX_TEXT)
    if form is _PICTURE:
        data_url = f"data:{answer.mime};base64,{answer.picture}"
        return Attachment(name=shown, type=form.type, image_data=data_url, image_id=uuid.uuid4().hex)
    pages = {PAGE_STARTS: list(answer.page_starts)} if answer.page_starts else {}
    return Attachment(name=shown, type=form.type, content=_checked(shown, answer.text), extra=pages)


def laid_out(attachment: Attachment) -> str:
    """The text of a document as a model gets it."""
    url = f"URL: {attachment.url}\n" if attachment.url else ""
    return f"File: {attachment.name}\n{url}{_RULE}\n{attachment.content}\n{_RULE}"


def _format_of(name: str, content: bytes) -> _Format | None:
    """By what is in the file; None for text. Raises BadRequest where the name promises something else."""
    form = next((each for each, is_one in _SIGNS if is_one(content)), None)
    promised = next((each for each in (_PICTURE, _PDF, _DOCX) if name.lower().endswith(each.suffixes)), None)
    if promised is _PDF and b"%PDF-" in content[:_PDF_JUNK]:
        return _PDF
    if form is None and promised is not None:
        raise _refused(f"{name} is no {promised.shown}, whatever its name says. Accepted are {ACCEPTED}.")
    return form


def _is_picture(content: bytes) -> bool:
    if content[:4] == b"RIFF":
        return content[8:12] == b"WEBP"
    if content[4:8] == b"ftyp":
        return content[8:12] in _PHONE_BRANDS
    return content.startswith(_PICTURE_STARTS) or (content.startswith(b"BM") and b"\0" in content[2:18])


def _is_pdf(content: bytes) -> bool:
    return content.startswith(b"%PDF-")


def _is_zip(content: bytes) -> bool:
    return content.startswith(b"PK\x03\x04")


_SIGNS: Final = ((_PICTURE, _is_picture), (_PDF, _is_pdf), (_DOCX, _is_zip))


async def _asked(name: str, form: _Format, content: bytes, most: int) -> FileAnswer:
    question = FileQuestion(form.reader, most, content)
    try:
        answer = await ask_once(_READER, question, FileAnswer, seconds=form.seconds)
    except TimeLimitExceeded:
        raise _refused(f"{name} takes longer than {form.seconds:g} seconds to read; attach a simpler file.") from None
    except ProcessFailed:
        raise _refused(f"{name} cannot be read: it is broken, or needs too much memory.") from None
    if answer.refused:
        raise _refused(f"{name} {answer.refused}")
    return answer


def _decoded(name: str, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise _refused(f"{name} cannot be attached. Accepted are {ACCEPTED}.")
    return text.replace("\r\n", "\n")


def _checked(name: str, text: str) -> str:
    if not text.strip():
        raise _refused(f"{name} holds no text; scanned pages can be attached as pictures.")
    if len(text) > MAX_TEXT:
        raise _refused(f"{name} has more than {MAX_TEXT} characters of text; attach the part that matters.")
    return text


def _plain_name(name: str) -> str:
    """Without folders and control characters, and not too long to be shown."""
    plain = "".join(character for character in PurePath(name.replace("\\", "/")).name if character.isprintable())
    stem, suffix = PurePath(plain).stem, PurePath(plain).suffix
    return f"{stem[: _MAX_NAME - len(suffix)]}{suffix}"[-_MAX_NAME:] or "file"


def _refused(message: str) -> BadRequest:
    return BadRequest(message, param=_PARAM)
