"""The child's side of `attachments`: reads one file on stdin and writes what a model can read of it, as JSON, on stdout.

The first line of the question is the reader's name and the most characters of text. The answer is `{"text": …}`,
`{"mime": …, "data": base64}` or `{"refused": the rest of a sentence that begins with the file's name}`.
"""

import json
import logging
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Final

from modules.chat.attachments.documents import docx_text, pdf_text
from modules.chat.attachments.pictures import Unreadable, small_picture

if sys.platform != "win32":
    import resource

_MAX_MEMORY: Final = 1 << 30
# The parent is faster; this is for the case that it is gone.
_MAX_CPU_SECONDS: Final = 40


def serve() -> None:
    logging.disable()
    warnings.simplefilter("ignore")
    _limit()
    reader, most = sys.stdin.buffer.readline().split()
    answer = _answer(reader.decode(), int(most), sys.stdin.buffer.read())
    json.dump(answer, sys.stdout)


def _answer(reader: str, most: int, content: bytes) -> Mapping[str, str]:
    try:
        return _READERS[reader](content, most)
    except Unreadable as failure:
        return {"refused": str(failure)}
    except MemoryError:
        return {"refused": "needs too much memory to read."}
    except RecursionError:
        return {"refused": "is nested too deeply to read."}
    except Exception:  # noqa: BLE001 - libraries raise anything about broken files, and say what is in memory
        return {"refused": "is broken and cannot be read."}


def _picture(content: bytes, _: int) -> Mapping[str, str]:
    return small_picture(content)


def _pdf(content: bytes, most: int) -> Mapping[str, str]:
    return {"text": pdf_text(content, most)}


def _docx(content: bytes, most: int) -> Mapping[str, str]:
    return {"text": docx_text(content, most)}


_READERS: Final[Mapping[str, Callable[[bytes, int], Mapping[str, str]]]] = MappingProxyType(
    {"picture": _picture, "pdf": _pdf, "docx": _docx}
)


def _limit() -> None:
    """No more memory than an honest file can need, and no file can be written. Not every system has all limits."""
    if sys.platform == "win32":
        return
    limits = {
        resource.RLIMIT_AS: _MAX_MEMORY,
        resource.RLIMIT_CPU: _MAX_CPU_SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    serve()
