"""Questions to a child process: one answer or a stream, cancelled by closing, limited in time."""

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, Generic, TypeVar

import msgspec
import psutil

from modules.process.failures import (
    ProcessClosed,
    ProcessDied,
    ProcessFailed,
    ProcessHung,
    ProtocolBroken,
    QuestionFailed,
    ServiceFault,
    TimeLimitExceeded,
    error_of,
)
from modules.process.framed import FramedChild
from modules.process.frames import Frame, FrameKind, pack, pack_request
from modules.process.spec import ProcessSpec
from modules.process.time_limit import TimeLimit

_log = logging.getLogger(__name__)
A = TypeVar("A")

# The child may be this many answers ahead of who reads them (see server.WINDOW), and hears of half of them at once.
_TELL_TAKEN: Final = 16
# Errors that keep their meaning across the pipe; whatever else a child names is a failure of the child.
_OWN_ERRORS: Final = frozenset({"BadRequest", "Busy", "ContextTooLong", "NotSupported", "EngineFailed"})
_FAULTS: Final = msgspec.msgpack.Decoder(ServiceFault)


class _Pending(Generic[A]):
    """A question under way: answers that nobody has read yet, and how it ended."""

    def __init__(self) -> None:
        self.answers: list[A] = []
        self.is_over = False
        self.error: Exception | None = None
        self._news: asyncio.Future[None] | None = None

    def put(self, answer: A) -> None:
        self.answers.append(answer)
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        if not self.is_over:
            self.is_over, self.error = True, error
            self._wake()

    async def until_news(self, limit: TimeLimit) -> None:
        self._news = asyncio.get_running_loop().create_future()
        try:
            await limit.wait(self._news)
        finally:
            self._news = None

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


class ProcessClient(Generic[A]):
    """A child that runs `modules.process.server.serve`. `answers` is the type, or union of types, of what it answers.

    Its death ends every question with an error, and nothing else: whoever owns it decides whether to start another.
    """

    def __init__(self, spec: ProcessSpec, *, answers: object) -> None:
        self._spec = spec
        self._decoder: msgspec.msgpack.Decoder[A] = msgspec.msgpack.Decoder(answers)
        self._child = FramedChild(
            spec,
            on_frame=self._on_frame,
            on_exit=self._on_exit,
            is_owing=lambda: bool(self._pending),
            on_trouble=self._on_trouble,
        )
        self._numbers = itertools.count(1)
        self._pending: dict[int, _Pending[A]] = {}
        self._ready: asyncio.Future[None] | None = None
        self._failure: ProcessFailed | None = None

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._child.can_answer and self._failure is None

    async def start(self) -> None:
        """Returns when it can be asked. Raises ProcessFailed, leaving no process."""
        self._ready = asyncio.get_running_loop().create_future()
        try:
            try:
                await self._child.start()
            except OSError as error:
                raise ProcessDied(self._spec.name, None) from error
            await TimeLimit(self._spec.start_seconds).wait(self._ready)
            self._ready.result()
        except BaseException:
            await self.kill()
            raise

    async def ask(self, question: object, *, seconds: float | None = None) -> A:
        """The one answer. Raises ProcessFailed, the ServiceError that the child's code raised, or BadRequest for a
        question that no frame can hold. One that takes longer than `seconds`, counted while this program runs, ends
        the process."""
        async with aclosing(self.stream(question, seconds=seconds)) as stream:
            answers = [answer async for answer in stream]
        if len(answers) != 1:
            raise QuestionFailed(f"it answered {len(answers)} times")
        return answers[0]

    async def stream(self, question: object, *, seconds: float | None = None) -> AsyncGenerator[A, None]:
        """The answers as they come. Closing the stream cancels the question. `seconds` count while the process is waited
        for, not while the caller does something else. Raises like `ask`, after the answers before the failure."""
        number, pending = next(self._numbers), _Pending[A]()
        frame = pack_request(FrameKind.ASK, number, question, max_bytes=self._spec.max_frame_bytes)
        if not self.is_alive:
            raise self._failure or ProcessClosed(f"{self._spec.name} was closed")
        self._pending[number] = pending
        limit, taken = TimeLimit(seconds, self._worked if self._spec.counts_work else None), 0
        self._child.send(frame)
        # They may be large, and the answers long in coming.
        del frame, question
        try:
            while pending.answers or not pending.is_over:
                if not pending.answers:
                    await pending.until_news(limit)
                    continue
                answer = pending.answers.pop(0)
                taken = self._count_taken(number, taken)
                yield answer
            if pending.error is not None:
                raise pending.error
        except TimeLimitExceeded:
            await self.kill()
            raise
        finally:
            if not pending.is_over:
                await self._cancel(number, pending)

    async def kill(self) -> None:
        """At once; what is asked ends with ProcessClosed."""
        self._fail(ProcessClosed(f"{self._spec.name} was ended"))
        await self._child.end()

    async def aclose(self) -> None:
        """Give everything back: the process has `close_seconds` to end by itself."""
        self._fail(ProcessClosed(f"{self._spec.name} was closed"))
        await self._child.aclose()

    def _worked(self) -> float:
        """Processor time of the child, in seconds; 0 once it is gone."""
        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return times.user + times.system

    def _count_taken(self, number: int, taken: int) -> int:
        if taken + 1 < _TELL_TAKEN:
            return taken + 1
        self._child.send(pack(FrameKind.TAKEN, number, _TELL_TAKEN))
        return 0

    async def _cancel(self, number: int, pending: _Pending[A]) -> None:
        """The child may be long in stopping; until it has, the question counts as one that it owes an answer to."""
        pending.answers.clear()
        if not self.is_alive:
            return
        if self._spec.cancel_seconds == 0:
            await self.kill()
            return
        self._child.send(pack(FrameKind.CANCEL, number))
        if self._spec.cancel_seconds is not None:
            asyncio.get_running_loop().call_later(self._spec.cancel_seconds, self._kill_unless_over, pending)

    def _kill_unless_over(self, pending: _Pending[A]) -> None:
        if not pending.is_over and self.is_alive:
            _log.warning("%s goes on with what was cancelled, and is ended", self._spec.name)
            self._fail(ProcessHung(f"{self._spec.name} did not stop what was cancelled"))
            self._child.kill()

    def _on_frame(self, frame: Frame) -> None:
        """Answers to unknown numbers are dropped: the question was refused or is over."""
        if frame.kind == FrameKind.READY:
            if self._ready is not None and not self._ready.done():
                self._ready.set_result(None)
            return
        pending = self._pending.get(frame.number)
        if pending is None:
            return
        match frame.kind:
            case FrameKind.ANSWER:
                pending.put(self._decoder.decode(frame.body))
            case FrameKind.END:
                self._pending.pop(frame.number).end()
            case FrameKind.FAILED:
                self._pending.pop(frame.number).end(_error_of(_FAULTS.decode(frame.body)))

    def _on_trouble(self, trouble: str) -> None:
        _log.error("%s %s, and is ended", self._spec.name, trouble)
        self._fail(ProcessHung(f"{self._spec.name} {trouble}"))

    def _on_exit(self, exit_code: int | None) -> None:
        if self._child.is_broken:
            self._fail(ProtocolBroken(f"{self._spec.name} sent what cannot be read"))
        elif self._failure is None:
            _log.warning("%s ended unexpectedly, with code %s", self._spec.name, exit_code)
        self._fail(ProcessDied(self._spec.name, exit_code))

    def _fail(self, failure: ProcessFailed) -> None:
        if self._failure is None:
            self._failure = failure
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(self._failure)
            # It may be read by nobody, when the start was cancelled.
            self._ready.exception()
        for pending in self._pending.values():
            pending.end(self._failure)
        self._pending.clear()


async def ask_once(spec: ProcessSpec, question: object, answer: type[A], *, seconds: float) -> A:
    """One question to a process of its own, which is gone afterwards with all that it started. Raises like `ask`."""
    client: ProcessClient[A] = ProcessClient(spec, answers=answer)
    try:
        await client.start()
        return await client.ask(question, seconds=seconds)
    finally:
        await client.kill()


def _error_of(fault: ServiceFault) -> Exception:
    return error_of(fault) if fault.kind in _OWN_ERRORS else QuestionFailed(fault.message)
