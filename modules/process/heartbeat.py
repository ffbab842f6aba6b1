"""Pings a child while it owes an answer, and says when it hangs or takes more memory than it may.

`Watchdog` is pure: it is told of answers and of what the operating system says. A tick is a second in which this program
ran and could have heard an answer, so a stop of the whole program, of any length, counts as one.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import psutil

from modules.process.progress import LOADING

# A child that dies or hangs is noticed within a few of them; each costs one small message.
TICK_SECONDS: Final = 1.0
# Of a process that does nothing. What stops one for a few seconds must not end it.
SILENT_TICKS: Final = 10
STILL_TICKS: Final = 15
STILL_LOADING_TICKS: Final = 120
# Of one that computes or reads: a step is planned to take less than a second, but machines may be slow or crowded.
BUSY_SILENT_TICKS: Final = 180
BUSY_STILL_TICKS: Final = 900
# What answering pings costs is less, and what a process gets on a crowded machine is more.
_BUSY_SECONDS: Final = 0.02
_BUSY_SECONDS_PER_TICK: Final = 0.001


@dataclass(frozen=True, slots=True)
class Activity:
    """What a process has done so far. `waits_for_disk` is true of one that waits for a disk or network folder now."""

    cpu_seconds: float
    bytes_read: int = 0
    waits_for_disk: bool = False

    def is_more_than(self, before: "Activity", ticks: int) -> bool:
        """Whether the process did anything in the `ticks` since `before` but answer pings."""
        answering = _BUSY_SECONDS + _BUSY_SECONDS_PER_TICK * ticks
        return (
            self.waits_for_disk
            or self.bytes_read != before.bytes_read
            or self.cpu_seconds - before.cpu_seconds >= answering
        )


@dataclass(slots=True)
class _Thread:
    count: int
    ticks: int = 0


@dataclass(slots=True)
class Watchdog:
    """`on_pong` takes each answer to a ping; `tick` says what is wrong, or None. `_quiet` ticks have passed since the
    process was last seen to do something, which was `_since`."""

    _silent: int = 0
    _quiet: int = 0
    _since: Activity | None = None
    _threads: dict[str, _Thread] = field(default_factory=dict)

    def on_pong(self, work: Mapping[str, int]) -> None:
        self._silent = 0
        known = self._threads
        self._threads = {
            name: known[name] if name in known and known[name].count == count else _Thread(count)
            for name, count in work.items()
        }

    def tick(self, activity: Activity | None) -> str | None:
        """`activity` is None where the system does not tell; then only the longer bounds hold."""
        self._silent += 1
        self._see(activity)
        if self._silent >= BUSY_SILENT_TICKS or min(self._silent, self._quiet) >= SILENT_TICKS:
            return "does not respond"
        for name, thread in self._threads.items():
            thread.ticks += 1
            if self._is_stuck(name, thread):
                return f"makes no progress ({name})"
        return None

    def _see(self, activity: Activity | None) -> None:
        if activity is None:
            self._quiet = 0
        elif self._since is not None and not activity.is_more_than(self._since, self._quiet):
            self._quiet += 1
        else:
            self._since, self._quiet = activity, 0

    def _is_stuck(self, name: str, thread: _Thread) -> bool:
        if name == LOADING:
            return min(thread.ticks, self._quiet) >= STILL_LOADING_TICKS
        return thread.ticks >= BUSY_STILL_TICKS or min(thread.ticks, self._quiet) >= STILL_TICKS


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
