"""An engine in a child process: its crash ends open streams with an error, and its end gives all memory back."""

import asyncio
import itertools
import logging
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from modules.engine import wire
from modules.engine.child import Child
from modules.engine.protocols import ReportProgress
from modules.engine.streams import Listeners
from modules.engine.types import Chunk, Generation, LoadSpec, ModelCard
from modules.errors import EngineFailed, LoadFailed, ServiceError

_log = logging.getLogger(__name__)
T = TypeVar("T")

_COMMAND: Final = (sys.executable, "-m", "modules.backends")
_ROOT: Final = Path(__file__).resolve().parents[2]


class ProcessEngine:
    """A model in a child process. Made by `probe`, usable after `load`."""

    def __init__(self, spec: LoadSpec) -> None:
        self._spec = spec
        self._child = Child(hear=self._hear, mourn=self._mourn, owes=self._owes, hang=self._despair)
        self._listeners = Listeners(
            submit=lambda job: self._child.send(wire.Submit(job)),
            cancel=lambda job_id: self._child.send(wire.Cancel(job_id)),
            bound=spec.parallel + spec.max_queue,
        )
        self._question_ids = itertools.count(1)
        self._questions: dict[int, asyncio.Future[list[int] | str]] = {}
        self._card: ModelCard | None = None
        self._ready: asyncio.Future[ModelCard] | None = None
        self._report: ReportProgress = _unheard
        self._is_loaded = False

    @classmethod
    async def probe(cls, spec: LoadSpec, *, command: Sequence[str] = _COMMAND) -> "ProcessEngine":
        """Start the child and let it read the file's header and vocabulary. Raises LoadFailed, leaving no child."""
        engine = cls(spec)
        await engine._child.start(command, folder=_ROOT)
        await engine._become_ready(wire.Probe(spec), _unheard)
        return engine

    async def load(self, report: ReportProgress) -> None:
        """Load the weights. Raises LoadFailed, leaving no child."""
        await self._become_ready(wire.Load(), report)
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
        return self._is_loaded and self._child.is_running and not (self._child.is_closing or self._child.is_hung)

    async def generate(self, generation: Generation) -> AsyncGenerator[Chunk, None]:
        if not self.is_alive:
            raise self._death()
        stream = self._listeners.stream(generation)
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

    async def aclose(self) -> None:
        await self._child.aclose()

    async def _become_ready(self, order: wire.ToWorker, report: ReportProgress) -> None:
        if not self._child.is_running:
            raise self._load_crash()
        self._ready = asyncio.get_running_loop().create_future()
        self._report = report
        try:
            self._child.send(order)
            self._card = await self._ready
        except BaseException:
            await self.aclose()
            raise
        finally:
            self._ready, self._report = None, _unheard

    def _hear(self, message: wire.FromWorker) -> None:
        match message:
            case wire.Chunks(chunks):
                for job_id, chunk in chunks:
                    self._listeners.tell(job_id, chunk)
            case wire.Refused(job_id, fault):
                self._listeners.tell(job_id, wire.error_of(fault))
            case wire.Encoded(number, answer) | wire.Decoded(number, answer):
                _resolve(self._questions.get(number), answer)
            case wire.Unanswerable(number, fault):
                _reject(self._questions.get(number), wire.error_of(fault))
            case wire.Loading(fraction):
                self._report(fraction)
            case wire.Ready(card):
                _resolve(self._ready, card)
            case wire.LoadRefused(text):
                _reject(self._ready, LoadFailed(text))

    def _mourn(self, exit_code: int | None) -> None:
        """The child is gone, whether or not it was asked to go."""
        if not (self._child.is_closing or self._child.is_hung):
            _log.error("the model process of %s ended with code %s", self._spec.name, exit_code)
        self._fail_all()

    def _owes(self) -> bool:
        return bool(self._ready or self._questions or self._listeners.is_waiting)

    def _despair(self, trouble: str) -> None:
        """The child hangs. It has been killed, which one that waits for a device may not notice for long."""
        _log.error("the model process of %s %s, and is ended", self._spec.name, trouble)
        self._fail_all()

    def _fail_all(self) -> None:
        _reject(self._ready, self._load_crash())
        self._listeners.fail_all(self._death())
        for question in tuple(self._questions.values()):
            _reject(question, self._death())

    def _load_crash(self) -> LoadFailed:
        if self._child.is_hung:
            return LoadFailed(
                f"The loader did not get on while it read {self._spec.name}, and was ended. Try it again."
            )
        return LoadFailed(
            f"The loader crashed while it read {self._spec.name}. "
            "The file may be damaged, need more memory than there is, or need a newer llama-cpp-python."
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
            self._child.send(question(number))
            return await answer
        finally:
            self._questions.pop(number, None)


def _unheard(_fraction: float) -> None:
    """Progress that nobody asked for."""


def _resolve(future: asyncio.Future[T] | None, value: T) -> None:
    if future is not None and not future.done():
        future.set_result(value)


def _reject(future: asyncio.Future[Any] | None, error: ServiceError) -> None:
    if future is not None and not future.done():
        future.set_exception(error)
