"""The model process: reads commands on stdin, runs a backend, writes news on stdout.

`modules.backends.__main__` starts it with the loaders there are; `ProcessEngine` is the only caller of that.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue

from modules.engine import wire
from modules.engine.outbox import News
from modules.engine.protocols import Loader, Tokenizer
from modules.engine.stepper import Stepper
from modules.engine.types import Chunk, LoadSpec
from modules.errors import LoadFailed, ServiceError

_log = logging.getLogger(__name__)


class Channel:
    """The two pipes to the parent. `send` may be called from any thread."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._writing = threading.Lock()
        self._decoder = wire.unpack_to_worker()

    def send(self, message: wire.FromWorker) -> None:
        frame = memoryview(wire.pack_from_worker(message))
        with self._writing:
            while frame:
                frame = frame[os.write(self._outgoing, frame) :]

    def messages(self) -> Iterator[wire.ToWorker]:
        """Ends when the parent closes its side, or dies."""
        while header := self._read(wire.HEADER_BYTES):
            yield self._decoder.decode(self._read(wire.body_length(header)))

    def _read(self, count: int) -> bytes:
        parts: list[bytes] = []
        while count:
            part = os.read(self._incoming, min(count, 1 << 20))
            if not part:
                return b""
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


class Worker:
    """Three threads: this one steps the backend, one reads commands, one answers tokenizer questions."""

    def __init__(self, channel: Channel, loader_for: Callable[[str], Loader]) -> None:
        self._channel = channel
        self._loader_for = loader_for
        self._messages = channel.messages()
        self._questions: SimpleQueue[wire.Encode | wire.Decode] = SimpleQueue()

    def run(self) -> None:
        message = next(self._messages, None)
        if not isinstance(message, wire.Probe):
            return
        try:
            self._serve(message.spec)
        except LoadFailed as error:
            self._channel.send(wire.LoadRefused(error.message))

    def _serve(self, spec: LoadSpec) -> None:
        loader = self._loader_for(spec.loader)
        self._channel.send(wire.Ready(loader.probe(spec)))
        if not isinstance(next(self._messages, None), wire.Load):
            return
        backend = loader.load(spec, lambda fraction: self._channel.send(wire.Loading(fraction)))
        stepper = Stepper(backend, self._deliver)
        self._start(self._answer, backend.tokenizer)
        self._start(self._listen, stepper)
        self._channel.send(wire.Ready(backend.card))
        stepper.run()
        backend.close()

    def _start(self, target: Callable[..., None], argument: object) -> None:
        threading.Thread(target=target, args=(argument,), daemon=True).start()

    def _listen(self, stepper: Stepper) -> None:
        for message in self._messages:
            match message:
                case wire.Submit(job):
                    stepper.submit(job)
                case wire.Cancel(job_id):
                    stepper.cancel(job_id)
                case wire.Encode() | wire.Decode():
                    self._questions.put(message)
                case wire.Close():
                    stepper.stop()
                case _:
                    _log.error("unexpected %s while serving", type(message).__name__)
        # The parent is gone, perhaps killed: a step that is under way must not keep this process alive.
        os._exit(0)

    def _answer(self, tokenizer: Tokenizer) -> None:
        while True:
            self._channel.send(_answer_to(self._questions.get(), tokenizer))

    def _deliver(self, news: Sequence[News]) -> None:
        chunks = [(job_id, item) for job_id, item in news if isinstance(item, Chunk)]
        if chunks:
            self._channel.send(wire.Chunks(chunks))
        for job_id, item in news:
            if isinstance(item, ServiceError):
                self._channel.send(wire.Refused(job_id, type(item).__name__, item.message, item.param, item.code))


def _answer_to(question: wire.Encode | wire.Decode, tokenizer: Tokenizer) -> wire.FromWorker:
    try:
        if isinstance(question, wire.Encode):
            return wire.Encoded(
                question.question,
                tokenizer.encode(question.text.decode("utf-8", "surrogatepass"), special=question.special),
            )
        return wire.Decoded(question.question, tokenizer.decode(question.tokens))
    except ServiceError as error:
        return wire.Unanswerable(question.question, error.message)


def _private_pipes() -> Channel:
    """Take stdin and stdout for the protocol, so that nothing a library prints can get between its frames."""
    incoming, outgoing = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    return Channel(incoming, outgoing)


def run(loader_for: Callable[[str], Loader]) -> None:
    # Ctrl-C reaches the whole process group; closing is the parent's decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s model process: %(message)s")
    Worker(_private_pipes(), loader_for).run()
