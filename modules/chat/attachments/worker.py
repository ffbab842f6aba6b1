"""The process that reads one file: what a model can read of it."""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from modules.chat.attachments.documents import docx_text, html_text, pdf_text
from modules.chat.attachments.pictures import small_picture
from modules.chat.attachments.reading import FileAnswer, FileQuestion
from modules.media.pictures.decoding import Unreadable, prepare
from modules.process.server import Task, serve


def run() -> None:
    logging.disable()
    warnings.simplefilter("ignore")
    serve(_answers, questions=FileQuestion)


def _answers(question: FileQuestion, _: Task) -> Iterator[FileAnswer]:
    try:
        yield _READERS[question.reader](question.content, question.most)
    except Unreadable as failure:
        yield FileAnswer(refused=str(failure))
    except MemoryError:
        yield FileAnswer(refused="needs too much memory to read.")
    except RecursionError:
        yield FileAnswer(refused="is nested too deeply to read.")
    except Exception:  # noqa: BLE001 - libraries raise anything about broken files, and say what is in memory
        yield FileAnswer(refused="is broken and cannot be read.")


def _picture(content: bytes, _: int) -> FileAnswer:
    prepare()
    small = small_picture(content)
    return FileAnswer(mime=small["mime"], picture=small["data"])


def _pdf(content: bytes, most: int) -> FileAnswer:
    text, page_starts = pdf_text(content, most)
    # One character stays one.
    return FileAnswer(text=_whole_characters(text), page_starts=page_starts)


def _docx(content: bytes, most: int) -> FileAnswer:
    return FileAnswer(text=_whole_characters(docx_text(content, most)))


def _html(content: bytes, most: int) -> FileAnswer:
    return FileAnswer(text=_whole_characters(html_text(content, most)))


def _whole_characters(text: str) -> str:
    """Documents can hold halves of surrogate pairs, which no UTF-8 can."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_READERS: Final[Mapping[str, Callable[[bytes, int], FileAnswer]]] = MappingProxyType(
    {"picture": _picture, "pdf": _pdf, "docx": _docx, "html": _html}
)
