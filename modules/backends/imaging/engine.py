"""`ImageModel`, for the thread of the child that draws, and how it answers a question."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias

from modules.backends.imaging.messages import DescribeImageModel, DrawImages, ImageAnswer, ImageCard, ImageQuestion
from modules.engine.types import LoadSpec, ModelCard, ModelKind
from modules.process.server import Task

# Raises TaskCancelled when nobody waits for the pictures any more: let it pass.
Report: TypeAlias = Callable[[ImageAnswer], None]


class ImageModel(Protocol):
    """A loaded model, in its own process. One thread calls it."""

    @property
    def card(self) -> ImageCard: ...

    def draw(self, request: DrawImages, report: Report, is_cancelled: Callable[[], bool]) -> None:
        """Reports each step, and each picture as soon as it is finished.

        `report` raises TaskCancelled when nobody waits any more; through C code, where no exception can pass,
        `is_cancelled` is to be asked after each step. Raises BadRequest for what it cannot do, though its card says so.
        """
        ...


class ServedImageModel:
    """`model` as the process of a media engine serves it."""

    def __init__(self, model: ImageModel, spec: LoadSpec) -> None:
        self._model = model
        self._card = model_card(model.card, spec)

    @property
    def card(self) -> ModelCard:
        return self._card

    def answer(self, question: ImageQuestion, task: Task) -> Iterable[object]:
        return answers(self._model, question, task)


def answers(model: ImageModel, question: ImageQuestion, task: Task) -> Iterable[object]:
    """As a child gives them. Those of a drawing are sent while the model draws, and none is left in the end."""
    if isinstance(question, DescribeImageModel):
        return (model.card,)
    model.draw(question, task.send, task.is_cancelled)
    return ()


def model_card(card: ImageCard, spec: LoadSpec) -> ModelCard:
    """What the pool has to know of it."""
    return ModelCard(
        name=spec.name,
        loader=spec.loader,
        context=0,
        vocabulary=0,
        kind=ModelKind.IMAGE,
        architecture=card.family,
        size_bytes=card.size_bytes,
        gpu_bytes=card.gpu_bytes,
        modalities=("image",),
    )


def is_preview_due(request: DrawImages, step: int, steps: int) -> bool:
    """Whether a preview was asked for with this step, counted from 1. None comes with the last: the picture follows."""
    return request.preview_every > 0 and step % request.preview_every == 0 and step < steps
