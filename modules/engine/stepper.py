"""The loop of the thread that owns a backend: commands in → one step → chunks out."""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue
from typing import TypeAlias

from modules.engine.protocols import Backend
from modules.engine.reply_text import ReplyText
from modules.engine.types import Chunk, Job, Output
from modules.errors import EngineFailed, ServiceError

News: TypeAlias = tuple[int, Chunk | ServiceError]
Deliver: TypeAlias = Callable[[Sequence[News]], None]
_Command: TypeAlias = Callable[[], None]


class Stepper:
    """Runs a backend until `stop`. `submit`, `cancel` and `stop` may be called from any thread.

    `deliver` gets, once per step, what is new for each job: a chunk, or the error that ended it.
    While no job runs the thread sleeps; a command wakes it.
    """

    def __init__(self, backend: Backend, deliver: Deliver) -> None:
        self._backend = backend
        self._deliver = deliver
        self._commands: SimpleQueue[_Command] = SimpleQueue()
        self._replies: dict[int, ReplyText] = {}
        self._is_stopped = False

    def submit(self, job: Job) -> None:
        self._commands.put(lambda: self._admit(job))

    def cancel(self, job_id: int) -> None:
        self._commands.put(lambda: self._forget(job_id))

    def stop(self) -> None:
        self._commands.put(self._stop)

    def run(self) -> None:
        """Returns after `stop`; an exception of the backend comes out of here, and the backend is then unusable."""
        while self._take_commands():
            self._deliver_news(self._backend.step())

    def _take_commands(self) -> bool:
        """Obey what was asked since the last step, waiting when there is nothing else to do. False: stop."""
        if not self._backend.has_work:
            self._commands.get()()
        with contextlib.suppress(Empty):
            while not self._is_stopped:
                self._commands.get_nowait()()
        return not self._is_stopped

    def _admit(self, job: Job) -> None:
        generation = job.generation
        try:
            self._backend.admit(job)
        except ServiceError as error:
            self._deliver([(job.id, error)])
            return
        room = self._backend.card.context - len(generation.prompt.tokens)
        self._replies[job.id] = ReplyText(generation, room=room)

    def _forget(self, job_id: int) -> None:
        self._replies.pop(job_id, None)
        self._backend.drop(job_id)

    def _stop(self) -> None:
        self._is_stopped = True

    def _deliver_news(self, outputs: Iterable[Output]) -> None:
        news = [item for output in outputs if (item := self._news_of(output)) is not None]
        if news:
            self._deliver(news)

    def _news_of(self, output: Output) -> News | None:
        reply = self._replies.get(output.job_id)
        if reply is None:
            return None
        if output.error is not None:
            self._forget(output.job_id)
            return output.job_id, EngineFailed(output.error)
        chunk = reply.feed(output)
        if chunk is None:
            return None
        if chunk.finish is not None:
            self._forget(output.job_id)
        return output.job_id, chunk
