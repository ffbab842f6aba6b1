"""The scripted image model in a process of its own, without the pool."""

from collections.abc import Iterable

from modules.backends.imaging.engine import answers
from modules.backends.imaging.messages import ImageQuestion
from modules.backends.scripted.images import ScriptedImages
from modules.process.server import Task, serve


def run() -> None:
    model = ScriptedImages()

    def answer(question: ImageQuestion, task: Task) -> Iterable[object]:
        return answers(model, question, task)

    serve(answer, questions=ImageQuestion)
