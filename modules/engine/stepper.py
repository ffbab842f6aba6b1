"""The loop of the thread that owns a backend: commands in → one step → chunks out."""

import contextlib
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

from modules.engine.constraints.preparation import Preparation
from modules.engine.detokenizer import ReplyText
from modules.engine.media import check_media
from modules.engine.outbox import News, Outbox
from modules.engine.protocols import Backend, Interruptible, Output
from modules.engine.types import Job
from modules.errors import BadRequest, EngineFailed, ServiceError
from modules.process.progress import ThreadProgress

if TYPE_CHECKING:
    from modules.engine.constraints.matcher import Guide

Deliver: TypeAlias = Callable[[Sequence[News]], None]
_Command: TypeAlias = Callable[[], None]


class Stepper:
    """Runs a backend until `stop`. `submit`, `cancel` and `stop` may be called from any thread.

    `deliver` gets, at most once per step, what is new for each job: a chunk, or the error that ended it.
    While no job runs the thread sleeps; a command wakes it. What may take long before a job can be admitted is done
    beside it, on other threads.
    """

    def __init__(self, backend: Backend, deliver: Deliver) -> None:
        self._backend = backend
        self._deliver = deliver
        self._commands: SimpleQueue[_Command] = SimpleQueue()
        self._replies: dict[int, ReplyText] = {}
        self._outbox = Outbox()
        self._preparation = Preparation(backend, self._on_prepared)
        self._progress = ThreadProgress("stepper")
        self._is_stopped = False
        self._asked: dict[int, float] = {}
        self._began = 0.0
        if isinstance(backend, Interruptible):
            backend.interrupt_when(lambda: not self._commands.empty())

    @property
    def threads(self) -> Sequence[ThreadProgress]:
        return (self._progress,)

    def submit(self, job: Job) -> None:
        self._commands.put(lambda: self._begin(job))

    def cancel(self, job_id: int) -> None:
        self._commands.put(lambda: self._cancel(job_id))

    def stop(self) -> None:
        self._commands.put(self._stop)

    def run(self) -> None:
        """Returns after `stop`; an exception of the backend comes out of here, and the backend is then unusable."""
        self._progress.begin()
        while self._take_commands():
            self._progress.advance()
            self._began = time.monotonic()
            for output in self._backend.step():
                self._take_in(output)
            self._deliver_due()

    def close(self) -> None:
        """To be called when `run` is over, before the backend is closed: waits for what is being prepared."""
        self._preparation.close()

    def _take_commands(self) -> bool:
        """Obey what was asked since the last step, waiting when there is nothing else to do. False: stop."""
        if not self._backend.has_work:
            self._progress.rest()
            command = self._commands.get()
            self._progress.begin()
            command()
        with contextlib.suppress(Empty):
            while not self._is_stopped:
                self._commands.get_nowait()()
        return not self._is_stopped

    def _begin(self, job: Job) -> None:
        generation = job.generation
        self._asked[job.id] = time.monotonic()
        if generation.prompt.media:
            try:
                check_media(generation, self._backend.card.modalities)
            except BadRequest as error:
                self._asked.pop(job.id)
                self._deliver([(job.id, error)])
                return
        elif generation.constraint is None and generation.thought is None:
            self._admit(job, None)
            return
        self._preparation.begin(job)

    def _on_prepared(self, job: Job, outcome: "Guide | ServiceError | None") -> None:
        self._commands.put(lambda: self._admit_prepared(job, outcome))

    def _admit_prepared(self, job: Job, outcome: "Guide | ServiceError | None") -> None:
        if not self._preparation.forget(job.id):
            return
        if isinstance(outcome, ServiceError):
            self._asked.pop(job.id, None)
            self._deliver([(job.id, outcome)])
        else:
            self._admit(job, outcome)

    def _admit(self, job: Job, guide: "Guide | None") -> None:
        generation = job.generation
        asked = self._asked.pop(job.id, 0.0)
        try:
            self._backend.admit(job, guide)
        except ServiceError as error:
            self._deliver([(job.id, error)])
            return
        room = self._backend.card.context - len(generation.prompt.tokens)
        self._replies[job.id] = ReplyText(generation, room=room, asked=asked)

    def _cancel(self, job_id: int) -> None:
        self._preparation.forget(job_id)
        self._asked.pop(job_id, None)
        self._outbox.forget(job_id)
        self._end(job_id)

    def _end(self, job_id: int) -> None:
        self._replies.pop(job_id, None)
        self._backend.drop(job_id)

    def _stop(self) -> None:
        self._is_stopped = True

    def _take_in(self, output: Output) -> None:
        reply = self._replies.get(output.job_id)
        if reply is None:
            return
        if output.error is not None:
            self._outbox.put(output.job_id, EngineFailed(output.error))
            self._end(output.job_id)
        elif (chunk := reply.feed(output, self._began)) is not None:
            self._outbox.put(output.job_id, chunk)
            if chunk.finish is not None:
                self._end(output.job_id)

    def _deliver_due(self) -> None:
        due = self._outbox.take(time.monotonic())
        if due:
            self._deliver(due)
