"""An engine in a child process: a crash ends its streams with an error, its end frees all memory."""

import asyncio
import itertools
import logging
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Final, TypeVar

from modules.engine import wire
from modules.engine.media import SentMedia, without_data
from modules.engine.protocols import ReportProgress
from modules.engine.streams import RequestStreams
from modules.engine.types import Chunk, Generation, Job, LoadSpec, MediaShape, ModelCard, ModelKind
from modules.errors import EngineFailed, LoadFailed, ServiceError
from modules.process.failures import error_of
from modules.process.framed import FramedChild
from modules.process.frames import Frame
from modules.process.limits import ProcessLimits
from modules.process.spec import ErrorOutput, ProcessSpec

_log = logging.getLogger(__name__)
T = TypeVar("T")

_ENTRY: Final = "modules.backends.serving:run"
# Freeing a large model takes a second or two; after this the process is killed.
_CLOSE_SECONDS: Final = 5.0
# It computes on every core for minutes: this process's event loop and the user's other programs go first.
_NICENESS: Final = 3
# Replies that are being written go before texts that are embedded.
_ENCODER_NICENESS: Final = 10


class ProcessEngine:
    """A model in a child process. Made by `probe`, usable after `load`."""

    def __init__(self, spec: LoadSpec, *, command: Sequence[str] = ()) -> None:
        self._spec = spec
        self._child = FramedChild(
            _process_spec(spec, command),
            on_frame=self._on_frame,
            on_exit=self._on_exit,
            is_owing=self._is_owing,
            on_trouble=self._on_trouble,
        )
        self._decoder = wire.unpack_from_worker()
        self._streams = RequestStreams(
            submit=self._submit,
            cancel=lambda job_id: self._send(wire.Cancel(job_id)),
            bound=spec.parallel + spec.max_queue,
        )
        self._sent_media = SentMedia()
        self._question_ids = itertools.count(1)
        self._questions: dict[int, asyncio.Future[list[int] | str]] = {}
        self._card: ModelCard | None = None
        self._ready: asyncio.Future[ModelCard] | None = None
        self._report: ReportProgress = _ignore_progress
        self._is_loaded = False

    @classmethod
    async def probe(cls, spec: LoadSpec, *, command: Sequence[str] = ()) -> "ProcessEngine":
        """Start the child and let it read the file's header and vocabulary. Raises LoadFailed, leaving no child.
        `command` is a program of the same protocol, in place of the model process."""
        engine = cls(spec, command=command)
        try:
            await engine._child.start()
        except OSError as error:
            raise LoadFailed(f"No process can be started for {spec.name}: {error.strerror}.") from error
        await engine._become_ready(wire.ProbeModel(spec), _ignore_progress)
        return engine

    async def load(self, report: ReportProgress) -> None:
        """Load the weights. Raises LoadFailed, leaving no child."""
        await self._become_ready(wire.LoadModel(), report)
        self._is_loaded = True

    @property
    def card(self) -> ModelCard:
        assert self._card is not None
        return self._card

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def is_alive(self) -> bool:
        return self._is_loaded and self._child.can_answer

    async def generate(self, generation: Generation) -> AsyncGenerator[Chunk, None]:
        if not self.is_alive:
            raise self._death()
        stream = self._streams.stream(generation)
        try:
            async for chunk in stream:
                yield chunk
        finally:
            await stream.aclose()

    async def tokenize(self, text: str, *, special: bool) -> list[int]:
        data = text.encode("utf-8", "surrogatepass")
        tokens = await self._ask(lambda number: wire.Encode(number, data, special))
        assert isinstance(tokens, list)
        return tokens

    async def detokenize(self, tokens: Sequence[int]) -> str:
        text = await self._ask(lambda number: wire.Decode(number, list(tokens)))
        assert isinstance(text, str)
        return text

    async def media_tokens(self, shape: MediaShape) -> list[int]:
        tokens = await self._ask(lambda number: wire.EncodeMedia(number, shape))
        assert isinstance(tokens, list)
        return tokens

    async def aclose(self) -> None:
        await self._child.aclose()

    async def _become_ready(self, order: wire.ToWorker, report: ReportProgress) -> None:
        if not self._child.is_running:
            raise self._load_crash()
        self._ready = asyncio.get_running_loop().create_future()
        self._report = report
        try:
            self._send(order)
            self._card = await self._ready
        except BaseException:
            await self.aclose()
            raise
        finally:
            self._ready, self._report = None, _ignore_progress

    def _submit(self, job: Job) -> None:
        """Nothing is sent unless all of it can be."""
        media = job.generation.prompt.media
        if not media:
            self._send(wire.Submit(job))
            return
        frames = [wire.pack_to_worker(wire.KeepMedia(each)) for each in self._sent_media.missing(media)]
        for frame in (*frames, wire.pack_to_worker(wire.Submit(without_data(job)))):
            self._child.send(frame)
        for digest in self._sent_media.use(media):
            self._send(wire.DropMedia(digest))

    def _send(self, message: wire.ToWorker) -> None:
        self._child.send(wire.pack_to_worker(message))

    def _on_frame(self, frame: Frame) -> None:
        match self._decoder.decode(frame.body):
            case wire.JobChunks(chunks):
                for job_id, chunk in chunks:
                    self._streams.put(job_id, chunk)
            case wire.JobRefused(job_id, fault):
                self._streams.put(job_id, error_of(fault))
            case wire.Encoded(number, answer) | wire.Decoded(number, answer):
                _resolve(self._questions.get(number), answer)
            case wire.Unanswerable(number, fault):
                _reject(self._questions.get(number), error_of(fault))
            case wire.LoadProgress(fraction):
                self._report(fraction)
            case wire.ModelReady(card):
                _resolve(self._ready, card)
            case wire.LoadRefused(text):
                _reject(self._ready, LoadFailed(text))

    def _on_exit(self, exit_code: int | None) -> None:
        """The child is gone, whether or not it was asked to go."""
        if not (self._child.is_closing or self._child.is_hung or self._child.is_broken):
            _log.error("the model process of %s ended with code %s", self._spec.name, exit_code)
        self._fail_all()

    def _is_owing(self) -> bool:
        return bool(self._ready or self._questions or self._streams.is_open)

    def _on_trouble(self, trouble: str) -> None:
        """The child hangs. It has been killed, which one that waits for a device may not notice for long."""
        _log.error("the model process of %s %s, and is ended", self._spec.name, trouble)
        self._fail_all()

    def _fail_all(self) -> None:
        _reject(self._ready, self._load_crash())
        self._streams.fail_all(self._death())
        for question in tuple(self._questions.values()):
            _reject(question, self._death())

    def _load_crash(self) -> LoadFailed:
        if self._child.is_hung:
            return LoadFailed(
                f"The loader did not get on while it read {self._spec.name}, and was ended. Try it again."
            )
        return LoadFailed(
            f"The loader crashed while it read {self._spec.name}. "
            "The file may be damaged, need more memory than there is, or need a newer version of the loader's library."
        )

    def _death(self) -> EngineFailed:
        if self._child.is_closing:
            return EngineFailed("The model was unloaded before the reply was complete.")
        if self._child.is_hung:
            return EngineFailed(
                "The model process did not respond and was ended. It is loaded again for the next request."
            )
        return EngineFailed("The model process ended unexpectedly. It is loaded again for the next request.")

    async def _ask(self, question: Callable[[int], wire.ToWorker]) -> list[int] | str:
        if not self.is_alive:
            raise self._death()
        number = next(self._question_ids)
        answer: asyncio.Future[list[int] | str] = asyncio.get_running_loop().create_future()
        self._questions[number] = answer
        try:
            self._send(question(number))
            return await answer
        finally:
            self._questions.pop(number, None)


def _process_spec(spec: LoadSpec, command: Sequence[str]) -> ProcessSpec:
    """It gets all of this process's variables: drivers and libraries are configured by many."""
    return ProcessSpec(
        name=f"the model process of {spec.name}",
        entry="" if command else _ENTRY,
        command=tuple(command),
        environment=dict(os.environ),
        limits=ProcessLimits(niceness=_NICENESS if spec.kind is ModelKind.CHAT else _ENCODER_NICENESS),
        error_output=ErrorOutput.LOG,
        close_seconds=_CLOSE_SECONDS,
    )


def _ignore_progress(_fraction: float) -> None:
    """Progress that nobody asked for."""


def _resolve(future: asyncio.Future[T] | None, value: T) -> None:
    if future is not None and not future.done():
        future.set_result(value)


def _reject(future: asyncio.Future[Any] | None, error: ServiceError) -> None:
    if future is not None and not future.done():
        future.set_exception(error)
