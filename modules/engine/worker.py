"""The model process: reads commands, runs a backend, writes news.

`modules.backends.serving` runs it with the loaders there are; `ProcessEngine` is the only caller of that.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import NoReturn, TypeAlias

from modules.engine import wire
from modules.engine.media import media_tokens, with_data
from modules.engine.outbox import News
from modules.engine.protocols import Loader, Tokenizer
from modules.engine.stepper import Stepper
from modules.engine.types import Chunk, LoadSpec, Media
from modules.errors import EngineFailed, LoadFailed, ServiceError
from modules.process.channel import Channel, private_pipes, run_to_the_end, start_thread
from modules.process.failures import fault_of
from modules.process.frames import BadMessage, FrameKind
from modules.process.progress import LOADING, ThreadProgress

_Question: TypeAlias = wire.Encode | wire.Decode | wire.EncodeMedia
_log = logging.getLogger(__name__)


class ModelWorker:
    """Three threads: this one loads the model and steps its backend, one reads commands, one answers tokenizer questions.
    The process ends with whichever of them ends first."""

    def __init__(self, channel: Channel, loader_for: Callable[[str], Loader]) -> None:
        self._channel = channel
        self._decoder = wire.unpack_to_worker()
        self._loader_for = loader_for
        self._orders: SimpleQueue[wire.ProbeModel | wire.LoadModel] = SimpleQueue()
        self._questions: SimpleQueue[_Question] = SimpleQueue()
        self._media: dict[bytes, Media] = {}
        self._stepper: Stepper | None = None
        self._loading = ThreadProgress(LOADING)
        self._answering = ThreadProgress("tokenizer")

    def run(self) -> NoReturn:
        start_thread(self._listen)
        run_to_the_end(self._serve)

    def _serve(self) -> None:
        probe = self._orders.get()
        assert isinstance(probe, wire.ProbeModel)
        try:
            self._bring_up(probe.spec)
        except LoadFailed as error:
            self._send(wire.LoadRefused(error.message))
            return
        assert self._stepper is not None
        self._stepper.run()

    def _bring_up(self, spec: LoadSpec) -> None:
        with self._loading.at_work():
            loader = self._loader_for(spec.loader)
            card = loader.probe(spec)
        self._send(wire.ModelReady(card))
        self._orders.get()
        with self._loading.at_work():
            backend = loader.load(spec, self._report)
        self._stepper = Stepper(backend, self._deliver)
        start_thread(lambda: self._answer(backend.tokenizer))
        self._send(wire.ModelReady(backend.card))

    def _report(self, fraction: float) -> None:
        self._loading.advance()
        self._send(wire.LoadProgress(fraction))

    def _send(self, message: wire.FromWorker) -> None:
        self._channel.send(FrameKind.MESSAGE, 0, message)

    def _listen(self) -> None:
        """Ends with the pipe: the parent is gone, perhaps killed, and what is under way must not keep this process."""
        for message in self._messages():
            match message:
                case wire.ProbeModel() | wire.LoadModel():
                    self._orders.put(message)
                case wire.Encode() | wire.Decode() | wire.EncodeMedia():
                    self._questions.put(message)
                case wire.KeepMedia(media):
                    self._media[media.digest] = media
                case wire.DropMedia(digest):
                    self._media.pop(digest, None)
                case wire.Submit() | wire.Cancel():
                    self._pass_on(message)

    def _messages(self) -> Iterator[wire.ToWorker]:
        """What holds a value of a wrong type is refused, and no message."""
        for frame in self._channel.frames():
            if frame.kind == FrameKind.PING:
                self._channel.send_pong(self._threads())
            elif frame.kind == FrameKind.CLOSE:
                return
            else:
                try:
                    yield self._decoder.decode(frame.body)
                except BadMessage:
                    refusal = wire.refusal_of(frame.body)
                    if refusal is None:
                        raise
                    _log.error("a request that holds a value of a wrong type was refused")
                    self._send(refusal)

    def _pass_on(self, message: wire.Submit | wire.Cancel) -> None:
        assert self._stepper is not None, "asked before it was loaded"
        if isinstance(message, wire.Submit):
            self._stepper.submit(with_data(message.job, self._media))
        else:
            self._stepper.cancel(message.job_id)

    def _threads(self) -> Sequence[ThreadProgress]:
        return self._loading, self._answering, *(self._stepper.threads if self._stepper else ())

    def _answer(self, tokenizer: Tokenizer) -> None:
        while True:
            question = self._questions.get()
            with self._answering.at_work():
                answer = _answer_to(question, tokenizer)
            self._send(answer)

    def _deliver(self, news: Sequence[News]) -> None:
        chunks = [(job_id, item) for job_id, item in news if isinstance(item, Chunk)]
        if chunks:
            self._send(wire.JobChunks(chunks))
        for job_id, item in news:
            if isinstance(item, ServiceError):
                self._send(wire.JobRefused(job_id, fault_of(item)))


def _answer_to(question: _Question, tokenizer: Tokenizer) -> wire.FromWorker:
    try:
        if isinstance(question, wire.Encode):
            return wire.Encoded(
                question.question,
                tokenizer.encode(question.text.decode("utf-8", "surrogatepass"), special=question.special),
            )
        if isinstance(question, wire.EncodeMedia):
            return wire.Encoded(question.question, media_tokens(tokenizer, question.shape))
        return wire.Decoded(question.question, tokenizer.decode(question.tokens))
    except ServiceError as error:
        return wire.Unanswerable(question.question, fault_of(error))
    except Exception:  # noqa: BLE001 - whatever broke, who asked must hear of it
        _log.exception("a question to the tokenizer could not be answered")
        failure = EngineFailed("The model's process failed while it tokenized the request.")
        return wire.Unanswerable(question.question, fault_of(failure))


def run(loader_for: Callable[[str], Loader]) -> NoReturn:
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(message)s")
    ModelWorker(private_pipes(), loader_for).run()
