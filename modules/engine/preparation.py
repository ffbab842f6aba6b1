"""A second thread, on which jobs get ready that cannot be admitted at once."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeAlias

from modules.engine.types import Job
from modules.errors import EngineFailed, ServiceError

Ready: TypeAlias = Callable[[Job, ServiceError | None], None]
_log = logging.getLogger(__name__)


class Preparation:
    """Calls `prepare` for one job after the other, and `ready`, on the same thread, with what came of it.

    Every method is called from one thread, and not from that second one.
    """

    def __init__(self, prepare: Callable[[Job], None], ready: Ready) -> None:
        self._prepare = prepare
        self._ready = ready
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._wanted: set[int] = set()
        self._thread: threading.Thread | None = None

    def begin(self, job: Job) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="preparation", daemon=True)
            self._thread.start()
        self._wanted.add(job.id)
        self._jobs.put(job)

    def forget(self, job_id: int) -> bool:
        """True if the job was wanted until now, and should be taken over from here."""
        is_wanted = job_id in self._wanted
        self._wanted.discard(job_id)
        return is_wanted

    def close(self) -> None:
        """Waits for the job that is being prepared; the others are dropped."""
        self._wanted.clear()
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.id in self._wanted:
                self._ready(job, self._failure(job))

    def _failure(self, job: Job) -> ServiceError | None:
        try:
            self._prepare(job)
        except ServiceError as error:
            return error
        except Exception:  # noqa: BLE001 - whatever broke, the job's listener must hear of it
            _log.exception("a job could not be prepared")
            return EngineFailed("The model's process failed while it prepared the request.")
        return None
