"""Further threads, on which jobs get ready that cannot be admitted at once."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, TypeAlias

from modules.engine.protocols import Backend
from modules.engine.types import Job
from modules.errors import EngineFailed, ServiceError

if TYPE_CHECKING:
    from modules.engine.constraints.matcher import Guide

Ready: TypeAlias = "Callable[[Job, Guide | ServiceError | None], None]"
_Jobs: TypeAlias = "SimpleQueue[Job | None]"
_log = logging.getLogger(__name__)

# Two schemas that take long at a time; a third one would take a core from the model.
_SLOW_LANES: Final = 2


class Preparation:
    """Calls the backend's `prepare` for jobs in their order, and `ready`, on the same thread, with what came of it. What
    is quick does not wait for what takes long.

    Every method is called from one thread, and not from those others.
    """

    def __init__(self, backend: Backend, ready: Ready) -> None:
        self._backend = backend
        self._ready = ready
        self._quick: _Jobs = SimpleQueue()
        self._slow: _Jobs = SimpleQueue()
        self._wanted: set[int] = set()
        self._threads: list[threading.Thread] = []

    def begin(self, job: Job) -> None:
        if not self._threads:
            self._start_threads()
        self._wanted.add(job.id)
        (self._quick if self._backend.is_prepared(job) else self._slow).put(job)

    def forget(self, job_id: int) -> bool:
        """True if the job was wanted until now, and should be taken over from here."""
        is_wanted = job_id in self._wanted
        self._wanted.discard(job_id)
        return is_wanted

    def close(self) -> None:
        """Waits for the jobs that are being prepared; the others are dropped."""
        self._wanted.clear()
        if self._threads:
            for lane in (self._quick, *[self._slow] * _SLOW_LANES):
                lane.put(None)
        for thread in self._threads:
            thread.join()

    def _start_threads(self) -> None:
        for lane in (self._quick, *[self._slow] * _SLOW_LANES):
            thread = threading.Thread(target=self._run, args=(lane,), name="preparation", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, jobs: _Jobs) -> None:
        while (job := jobs.get()) is not None:
            if job.id in self._wanted:
                self._ready(job, self._outcome(job))

    def _outcome(self, job: Job) -> "Guide | ServiceError | None":
        try:
            return self._backend.prepare(job)
        except ServiceError as error:
            return error
        except Exception:  # noqa: BLE001 - whatever broke, the job's listener must hear of it
            _log.exception("a job could not be prepared")
            return EngineFailed("The model's process failed while it prepared the request.")
