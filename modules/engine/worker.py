"""The model process: reads commands on stdin, runs a backend, writes news on stdout.

`modules.backends.__main__` starts it with the loaders there are; `ProcessEngine` is the only caller of that.
"""

import ctypes
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Final, NoReturn

from modules.engine import wire
from modules.engine.outbox import News
from modules.engine.protocols import Loader, Tokenizer
from modules.engine.pulse import Pulse
from modules.engine.stepper import Stepper
from modules.engine.types import Chunk, LoadSpec
from modules.engine.vigil import LOADING
from modules.errors import EngineFailed, LoadFailed, ServiceError

_log = logging.getLogger(__name__)
_FAILURE: Final = 1
_PR_SET_PDEATHSIG: Final = 1  # sys/prctl.h


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
        """Ends when the parent closes its side, or dies. What holds a value of a wrong type is refused, and no message."""
        while header := self._read(wire.HEADER_BYTES):
            body = self._read(wire.body_length(header))
            try:
                yield self._decoder.decode(body)
            except wire.Junk:
                refusal = wire.refusal_of(body)
                if refusal is None:
                    raise
                _log.error("a request that holds a value of a wrong type was refused")
                self.send(refusal)

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
    """Three threads: this one loads the model and steps its backend, one reads commands, one answers tokenizer questions.
    The process ends with whichever of them ends first."""

    def __init__(self, channel: Channel, loader_for: Callable[[str], Loader]) -> None:
        self._channel = channel
        self._loader_for = loader_for
        self._orders: SimpleQueue[wire.Probe | wire.Load] = SimpleQueue()
        self._questions: SimpleQueue[wire.Encode | wire.Decode] = SimpleQueue()
        self._stepper: Stepper | None = None
        self._loading = Pulse(LOADING)
        self._answering = Pulse("tokenizer")

    def run(self) -> NoReturn:
        """There is nothing to be tidied up: the system takes back what a process held, at once and safely, whatever its
        threads are in."""
        self._start(self._listen)
        _to_the_end(self._serve)

    def _serve(self) -> None:
        probe = self._orders.get()
        assert isinstance(probe, wire.Probe)
        try:
            self._bring_up(probe.spec)
        except LoadFailed as error:
            self._channel.send(wire.LoadRefused(error.message))
            return
        assert self._stepper is not None
        self._stepper.run()

    def _bring_up(self, spec: LoadSpec) -> None:
        with self._loading.at_work():
            loader = self._loader_for(spec.loader)
            card = loader.probe(spec)
        self._channel.send(wire.Ready(card))
        self._orders.get()
        with self._loading.at_work():
            backend = loader.load(spec, self._report)
        self._stepper = Stepper(backend, self._deliver)
        self._start(lambda: self._answer(backend.tokenizer))
        self._channel.send(wire.Ready(backend.card))

    def _report(self, fraction: float) -> None:
        self._loading.beat()
        self._channel.send(wire.Loading(fraction))

    def _start(self, act: Callable[[], None]) -> None:
        threading.Thread(target=_to_the_end, args=(act,), daemon=True).start()

    def _listen(self) -> None:
        for message in self._channel.messages():
            match message:
                case wire.Probe() | wire.Load():
                    self._orders.put(message)
                case wire.Encode() | wire.Decode():
                    self._questions.put(message)
                case wire.Ping():
                    self._channel.send(wire.Pong(self._work()))
                case wire.Close():
                    return
                case wire.Submit() | wire.Cancel():
                    self._pass_on(message)
        # The parent is gone, perhaps killed: what is under way must not keep this process alive.

    def _pass_on(self, message: wire.Submit | wire.Cancel) -> None:
        assert self._stepper is not None, "asked before it was loaded"
        if isinstance(message, wire.Submit):
            self._stepper.submit(message.job)
        else:
            self._stepper.cancel(message.job_id)

    def _work(self) -> dict[str, int]:
        pulses = [self._loading, self._answering, *(self._stepper.pulses if self._stepper else ())]
        return {pulse.name: pulse.count for pulse in pulses if pulse.is_at_work}

    def _answer(self, tokenizer: Tokenizer) -> None:
        while True:
            question = self._questions.get()
            with self._answering.at_work():
                answer = _answer_to(question, tokenizer)
            self._channel.send(answer)

    def _deliver(self, news: Sequence[News]) -> None:
        chunks = [(job_id, item) for job_id, item in news if isinstance(item, Chunk)]
        if chunks:
            self._channel.send(wire.Chunks(chunks))
        for job_id, item in news:
            if isinstance(item, ServiceError):
                self._channel.send(wire.Refused(job_id, wire.fault_of(item)))


def _answer_to(question: wire.Encode | wire.Decode, tokenizer: Tokenizer) -> wire.FromWorker:
    try:
        if isinstance(question, wire.Encode):
            return wire.Encoded(
                question.question,
                tokenizer.encode(question.text.decode("utf-8", "surrogatepass"), special=question.special),
            )
        return wire.Decoded(question.question, tokenizer.decode(question.tokens))
    except ServiceError as error:
        return wire.Unanswerable(question.question, wire.fault_of(error))
    except Exception:  # noqa: BLE001 - whatever broke, who asked must hear of it
        _log.exception("a question to the tokenizer could not be answered")
        failure = EngineFailed("The model's process failed while it tokenized the request.")
        return wire.Unanswerable(question.question, wire.fault_of(failure))


def _to_the_end(act: Callable[[], None]) -> NoReturn:
    """The process ends with `act`: no thread may end alone, for then the others would be waited for in vain."""
    code = _FAILURE
    try:
        act()
        code = 0
    except BrokenPipeError:
        code = 0  # the parent is gone
    except BaseException:  # noqa: BLE001 - whatever it was, nothing may survive it
        _log.critical("the model process ends, because a thread of it broke down", exc_info=True)
    finally:
        os._exit(code)


def _private_pipes() -> Channel:
    """Take stdin and stdout for the protocol, so that nothing a library prints can get between its frames."""
    incoming, outgoing = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    return Channel(incoming, outgoing)


def _die_with_parent() -> None:
    """The end of its pipe tells a process that its parent is gone, but not one that is stopped, or stuck in a library.
    Linux can see to that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def run(loader_for: Callable[[str], Loader]) -> NoReturn:
    _die_with_parent()
    # Ctrl-C reaches the whole process group; closing is the parent's decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s model process: %(message)s")
    Worker(_private_pipes(), loader_for).run()
