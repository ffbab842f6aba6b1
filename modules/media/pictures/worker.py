"""The process that decodes pictures, one after the other."""

import logging
import warnings
from collections.abc import Iterator

from modules.media.pictures.decoding import Unreadable, opened, pixels, prepare, shown_size
from modules.media.pictures.questions import PictureAnswer, PictureQuestion
from modules.process.server import Task, serve


def run() -> None:
    logging.disable()
    warnings.simplefilter("ignore")
    prepare()
    serve(_answers, questions=PictureQuestion)


def _answers(question: PictureQuestion, _: Task) -> Iterator[PictureAnswer]:
    try:
        yield _decoded(question) if question.wants_pixels else _measured(question)
    except Unreadable as failure:
        yield PictureAnswer(refused=str(failure))
    except MemoryError:
        yield PictureAnswer(refused="needs too much memory to be decoded.")
    except Exception:  # noqa: BLE001 - Pillow raises anything about broken files, and says what is in memory
        yield PictureAnswer(refused="is broken or cut off, and cannot be decoded.")


def _measured(question: PictureQuestion) -> PictureAnswer:
    with opened(question.content) as picture:
        width, height = shown_size(picture, question.longest)
    return PictureAnswer(width, height)


def _decoded(question: PictureQuestion) -> PictureAnswer:
    picture = pixels(question.content, question.longest)
    return PictureAnswer(*picture.size, picture.tobytes())
