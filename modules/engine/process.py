"""An engine in a child process: its crash ends open streams with an error, and its end gives all memory back."""

import asyncio
import itertools
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Final

from modules import errors
from modules.engine import wire
from modules.engine.listeners import Listeners
from modules.engine.protocols import ReportProgress
from modules.engine.types import Chunk, Generation, LoadSpec, ModelCard
from modules.errors import BadRequest, EngineFailed, LoadFailed, ServiceError

_log = logging.getLogger(__name__)

_CLOSE_SECONDS: Final = 5.0
_ROOT: Final = Path(__file__).resolve().parents[2]
_REFUSALS: Final = {
    "BadRequest": errors.BadRequest,
    "ContextTooLong": errors.BadRequest,
    "NotSupported": errors.NotSupported,
    "EngineFailed": errors.EngineFailed,
}


class ProcessEngine:
    """A model in a child process. Made by `probe`, usable after `load`."""

    def __init__(self, spec: LoadSpec, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._spec = spec
        self._process = process
        self._writer = process.stdin
        self._reader = process.stdout
        self._decoder = wire.unpack_from_worker()
        self._listeners = Listeners(
            submit=lambda job: self._send(wire.Submit(job)),
            cancel=lambda job_id: self._send(wire.Cancel(job_id)),
            bound=spec.parallel + spec.max_queue,
        )
        self._question_ids = itertools.count(1)
        self._questions: dict[int, asyncio.Future[list[int] | str]] = {}
        self._card: ModelCard | None = None
        self._reading: asyncio.Task[None] | None = None
        self._is_closing = False

    @classmethod
    async def probe(cls, spec: LoadSpec) -> "ProcessEngine":
        """Start the child and let it read the file's header and vocabulary. Raises LoadFailed, leaving no child."""
        command = (sys.executable, "-m", "modules.backends")
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=_ROOT)
        engine = cls(spec, process)
        try:
            engine._send(wire.Probe(spec))
            await engine._await_ready(lambda fraction: None)
        except BaseException:
            await engine.aclose()
            raise
        return engine

    async def load(self, report: ReportProgress) -> None:
        """Load the weights. Raises LoadFailed, leaving no child."""
        try:
            self._send(wire.Load())
            await self._await_ready(report)
        except BaseException:
            await self.aclose()
            raise
        self._reading = asyncio.create_task(self._read_news(), name=f"news of {self._spec.name}")

    @property
    def card(self) -> ModelCard:
        assert self._card is not None
        return self._card

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._reading is not None and not self._reading.done() and not self._is_closing

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
        tokens = await self._ask(lambda number: wire.Encode(number, text, special))
        assert isinstance(tokens, list)
        return tokens

    async def detokenize(self, tokens: Sequence[int]) -> str:
        text = await self._ask(lambda number: wire.Decode(number, list(tokens)))
        assert isinstance(text, str)
        return text

    async def aclose(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._send(wire.Close())
            self._writer.close()
        await self._await_exit()
        if self._reading is not None:
            await asyncio.wait([self._reading])

    async def _await_exit(self) -> None:
        try:
            await asyncio.wait_for(self._process.wait(), _CLOSE_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _send(self, message: wire.ToWorker) -> None:
        if not self._writer.is_closing():
            self._writer.write(wire.pack_to_worker(message))

    async def _receive(self) -> wire.FromWorker | None:
        """The child's next message; None once it is gone."""
        try:
            header = await self._reader.readexactly(wire.HEADER_BYTES)
            return self._decoder.decode(await self._reader.readexactly(wire.body_length(header)))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def _await_ready(self, report: ReportProgress) -> None:
        while True:
            match await self._receive():
                case wire.Ready(card):
                    self._card = card
                    return
                case wire.Loading(fraction):
                    report(fraction)
                case wire.LoadRefused(message):
                    raise LoadFailed(message)
                case _:
                    raise LoadFailed(
                        f"The loader crashed while it read {self._spec.name}. "
                        "The file may be damaged, need more memory than there is, or need a newer llama-cpp-python."
                    )

    async def _read_news(self) -> None:
        while (message := await self._receive()) is not None:
            match message:
                case wire.Chunks(chunks):
                    for job_id, chunk in chunks:
                        self._listeners.tell(job_id, chunk)
                case wire.Refused(job_id, kind, text, param, code):
                    self._listeners.tell(job_id, _refusal(kind, text, param, code))
                case wire.Encoded(number, answer) | wire.Decoded(number, answer):
                    self._resolve(number, answer)
                case wire.Unanswerable(number, text):
                    self._reject(number, BadRequest(text))
                case _:
                    _log.error("unexpected %s from the model process", type(message).__name__)
        await self._process.wait()
        self._mourn()

    def _mourn(self) -> None:
        if not self._is_closing:
            _log.error(
                "the model process of %s ended with code %s",
                self._spec.name,
                self._process.returncode,
            )
            self._writer.close()
        self._listeners.fail_all(self._death())
        for number in tuple(self._questions):
            self._reject(number, self._death())

    def _death(self) -> EngineFailed:
        if self._is_closing:
            return EngineFailed("The model was unloaded before the reply was complete.")
        return EngineFailed("The model process ended unexpectedly. It is loaded again for the next request.")

    async def _ask(self, question: Callable[[int], wire.ToWorker]) -> list[int] | str:
        if not self.is_alive:
            raise self._death()
        number = next(self._question_ids)
        answer: asyncio.Future[list[int] | str] = asyncio.get_running_loop().create_future()
        self._questions[number] = answer
        self._send(question(number))
        try:
            return await answer
        finally:
            self._questions.pop(number, None)

    def _resolve(self, number: int, answer: list[int] | str) -> None:
        future = self._questions.get(number)
        if future is not None and not future.done():
            future.set_result(answer)

    def _reject(self, number: int, error: ServiceError) -> None:
        future = self._questions.get(number)
        if future is not None and not future.done():
            future.set_exception(error)


def _refusal(kind: str, message: str, param: str | None, code: str | None) -> ServiceError:
    return _REFUSALS.get(kind, EngineFailed)(message, param=param, code=code)
