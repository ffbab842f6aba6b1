"""Pings a child while it owes an answer, and says when it hangs or takes more memory than it may."""

import asyncio
from collections.abc import Callable, Mapping

import psutil

from modules.process.watchdog import TICK_SECONDS, Activity, Watchdog


class Heartbeat:
    """Begins with `begin` and goes on for as long as `is_owing` says so; then the child is left alone, so an idle one
    uses no processor. `on_trouble` is called at most once, with what is wrong. All methods belong to the event loop."""

    def __init__(
        self,
        *,
        ping: Callable[[], None],
        is_owing: Callable[[], bool],
        on_trouble: Callable[[str], None],
        memory_bytes: int | None = None,
    ) -> None:
        self._ping = ping
        self._is_owing = is_owing
        self._on_trouble = on_trouble
        self._memory_bytes = memory_bytes
        self._watchdog = Watchdog()
        self._timer: asyncio.TimerHandle | None = None
        self._process: psutil.Process | None = None

    def begin(self, pid: int) -> None:
        """The child was asked something; it may be watched already."""
        if self._timer is None:
            self._watchdog = Watchdog()
            self._process = _process(pid)
            self._watchdog.tick(self._activity())
            self._next()

    def on_pong(self, work: Mapping[str, int]) -> None:
        self._watchdog.on_pong(work)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next(self) -> None:
        self._ping()
        self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if not self._is_owing():
            return
        trouble = self._watchdog.tick(self._activity()) or self._excess()
        if trouble is None:
            self._next()
        else:
            self._on_trouble(trouble)

    def _excess(self) -> str | None:
        if self._memory_bytes is None or self._process is None:
            return None
        try:
            resident = self._process.memory_info().rss
        except psutil.Error:
            return None
        return "takes more memory than it may" if resident > self._memory_bytes else None

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
