"""Pings a model process while it owes an answer, and tells when it does not work on it any more."""

import asyncio
from collections.abc import Callable, Mapping

import psutil

from modules.engine.vigil import TICK_SECONDS, Activity, Vigil


class Watch:
    """Begins with `begin` and goes on for as long as `owes` says so; then the process is left alone, so an idle one uses
    no processor. `on_hang` is called at most once, with what is wrong. Every method belongs to the event loop."""

    def __init__(self, *, ping: Callable[[], None], owes: Callable[[], bool], on_hang: Callable[[str], None]) -> None:
        self._ping = ping
        self._owes = owes
        self._on_hang = on_hang
        self._vigil = Vigil()
        self._timer: asyncio.TimerHandle | None = None
        self._process: psutil.Process | None = None

    def begin(self, pid: int) -> None:
        """The process was asked something; that it is watched already does not matter."""
        if self._timer is None:
            self._vigil = Vigil()
            self._process = _process(pid)
            self._vigil.tick(self._activity())
            self._next()

    def heard(self, work: Mapping[str, int]) -> None:
        self._vigil.heard(work)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next(self) -> None:
        self._ping()
        self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if not self._owes():
            return
        trouble = self._vigil.tick(self._activity())
        if trouble is None:
            self._next()
        else:
            self._on_hang(trouble)

    def _activity(self) -> Activity | None:
        process = self._process
        if process is None:
            return None
        try:
            with process.oneshot():
                times = process.cpu_times()
                is_waiting = process.status() == psutil.STATUS_DISK_SLEEP
        except psutil.Error:
            return None
        return Activity(times.user + times.system, _bytes_read(process), is_waiting)


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.Error:
        return None


def _bytes_read(process: psutil.Process) -> int:
    """0 where the system does not tell."""
    try:
        return int(process.io_counters().read_bytes)
    except (psutil.Error, AttributeError, NotImplementedError, OSError):
        return 0
