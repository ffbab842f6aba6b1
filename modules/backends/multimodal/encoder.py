"""Encodes pictures and sounds on a thread of its own, and remembers what came of it.

Encoding takes seconds without a graphics card; running replies go on meanwhile.
"""

import contextlib
import logging
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np

from modules.engine.types import Media
from modules.errors import ServiceError

Rows: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]
Encode: TypeAlias = Callable[[Media], Generator[tuple[int, Rows], None, None]]

_log = logging.getLogger(__name__)
# A picture of 256 cells takes 2.6 MB with a model of 4 billion parameters.
KEPT_BYTES: Final = 256 * 2**20
# Above the model's own threads: replies that run go first.
_NICENESS: Final = 5
_Key: TypeAlias = tuple[bytes, int]


@dataclass(slots=True, eq=False)
class _Order:
    """`jobs` wait for it."""

    media: Media
    jobs: set[int] = field(default_factory=set)


class MediaEncoder:
    """`encode` is called on the thread only. What was encoded is kept up to `bound` bytes, the latest whatever its size.

    The other methods may be called from any thread.
    """

    def __init__(self, encode: Encode, *, bound: int = KEPT_BYTES) -> None:
        self._encode = encode
        self._bound = bound
        self._kept: OrderedDict[_Key, Rows] = OrderedDict()
        self._size = 0
        self._orders: OrderedDict[bytes, _Order] = OrderedDict()
        self._failures: dict[int, str] = {}
        self._change = threading.Condition()
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self.encoded = 0

    def rows(self, digest: bytes, part: int) -> Rows | None:
        """One row for each cell of that part; None while it has to be ordered."""
        with self._change:
            found = self._kept.get((digest, part))
            if found is not None:
                self._kept.move_to_end((digest, part))
            return found

    def order(self, media: Media, job_id: int) -> None:
        """Encode what is not kept of `media`, after what was ordered before."""
        with self._change:
            order = self._orders.setdefault(media.digest, _Order(media))
            order.jobs.add(job_id)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="projector", daemon=True)
                self._thread.start()
            self._change.notify_all()

    def failure(self, job_id: int) -> str | None:
        """Why what the job ordered could not be encoded."""
        with self._change:
            return self._failures.get(job_id)

    def forget(self, job_id: int) -> None:
        """What only this job ordered is not encoded any further."""
        with self._change:
            self._failures.pop(job_id, None)
            for order in self._orders.values():
                order.jobs.discard(job_id)

    def wait(self, seconds: float) -> None:
        """Until something was encoded, or so long."""
        with self._change:
            if self._orders:
                self._change.wait(seconds)

    def close(self) -> None:
        """Waits for the part that is being encoded."""
        with self._change:
            self._is_closed = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        _give_way()
        while (order := self._next()) is not None:
            try:
                self._fill(order)
            except ServiceError as error:
                self._fail(order, error.message)
            except Exception:  # noqa: BLE001 - whatever broke, the jobs that wait must hear of it
                _log.exception("a picture or a sound could not be encoded")
                self._fail(order, "The model's process failed while it read a picture or a sound.")
            with self._change:
                self._orders.pop(order.media.digest, None)
                self._change.notify_all()

    def _next(self) -> _Order | None:
        """The first order that a job still waits for; None when the encoder is closed."""
        with self._change:
            while not self._is_closed:
                for digest in [digest for digest, order in self._orders.items() if not order.jobs]:
                    del self._orders[digest]
                if self._orders:
                    return next(iter(self._orders.values()))
                self._change.wait()
            return None

    def _fill(self, order: _Order) -> None:
        with closing(self._encode(order.media)) as parts:
            for part, rows in parts:
                if not self._keep((order.media.digest, part), rows, order):
                    return

    def _keep(self, key: _Key, rows: Rows, order: _Order) -> bool:
        """False when nobody waits for what follows."""
        with self._change:
            self.encoded += 1
            self._size += rows.nbytes - (self._kept.pop(key).nbytes if key in self._kept else 0)
            self._kept[key] = rows
            while self._size > self._bound and len(self._kept) > 1:
                self._size -= self._kept.popitem(last=False)[1].nbytes
            self._change.notify_all()
            return bool(order.jobs) and not self._is_closed

    def _fail(self, order: _Order, message: str) -> None:
        with self._change:
            for job_id in order.jobs:
                self._failures[job_id] = message


def _give_way() -> None:
    """On Linux threads have a niceness of their own, which those that they start inherit."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
