"""The process of a media model: brings it up, then answers its own questions.

`modules.backends.serving` runs it with the engines there are; `MediaProcess` is the only caller of that.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NoReturn

import msgspec

from modules.engine import wire
from modules.engine.protocols import MediaLoader, MediaModel
from modules.engine.types import LoadSpec
from modules.errors import LoadFailed
from modules.process.server import Task, serve

_ORDERS: Final = msgspec.msgpack.Decoder(wire.ProbeModel | wire.LoadModel)


class MediaWorker:
    """Asked to probe, to load, and from then on whatever the loader's `questions` are."""

    def __init__(self, loader_for: Callable[[str], MediaLoader], fetch_words: Callable[[str], str]) -> None:
        self._loader_for = loader_for
        self._fetch_words = fetch_words
        self._loader: MediaLoader | None = None
        self._spec: LoadSpec | None = None
        self._model: MediaModel | None = None

    def answer(self, question: msgspec.Raw, task: Task) -> Iterable[object]:
        if self._model is None:
            return self._brought_up(_ORDERS.decode(question), task)
        assert self._loader is not None
        return self._model.answer(msgspec.msgpack.decode(question, type=self._loader.questions), task)

    def _brought_up(self, order: wire.ProbeModel | wire.LoadModel, task: Task) -> Iterator[object]:
        try:
            with task.loading():
                if isinstance(order, wire.ProbeModel):
                    self._spec = order.spec
                    self._loader = self._loader_for(order.spec.loader)
                    yield wire.ModelReady(self._loader.probe(order.spec))
                else:
                    yield from self._loaded(task)
        except LoadFailed as error:
            yield wire.LoadRefused(error.message)
        except ImportError as error:
            words = self._fetch_words(self._spec.loader) if self._spec is not None else ""
            yield wire.LoadRefused(str(error), is_missing=True, fetch=words)

    def _loaded(self, task: Task) -> Iterator[object]:
        """Progress is sent beside the answers: a loader reports from within its call."""
        assert self._loader is not None
        assert self._spec is not None
        model = self._loader.load(self._spec, lambda fraction: task.send(wire.LoadProgress(fraction)))
        self._model = model
        yield wire.ModelReady(model.card)


def run(loader_for: Callable[[str], MediaLoader], fetch_words: Callable[[str], str] = lambda _loader: "") -> NoReturn:
    """`fetch_words` are those after `one_click.py fetch` that install a loader, "" for its kind alone."""
    serve(MediaWorker(loader_for, fetch_words).answer, questions=msgspec.Raw)
