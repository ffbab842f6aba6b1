"""The progress of a download, as values to show."""

import time
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# Shorter windows make the remaining time jump, longer ones hide that a line has slowed down.
_WINDOW_SECONDS: Final = 5.0


class Stage(StrEnum):
    """CHECKING: sums of what is there already. WAITING: for the next attempt after a failure."""

    CHECKING = "checking"
    DOWNLOADING = "downloading"
    WAITING = "waiting"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """`done` of `total` bytes, `speed` in bytes a second over the last moments, `files` that are being fetched now.

    `target` is the name that the model list has for the result; it is there when the stage is DONE.
    """

    stage: Stage
    target: str
    done: int
    total: int
    speed: float = 0.0
    files: tuple[str, ...] = ()
    note: str = ""

    @property
    def fraction(self) -> float:
        return min(1.0, self.done / self.total) if self.total else float(self.stage is Stage.DONE)

    @property
    def seconds_left(self) -> float | None:
        return (self.total - self.done) / self.speed if self.speed > 0 else None


class Tally:
    """Sums up what the files of one download report; `files` maps those under way to their bytes on disk."""

    def __init__(self, target: str, total: int) -> None:
        self._target = target
        self._total = total
        self._finished = 0
        self._under_way: dict[str, int] = {}
        self._notes: dict[str, str] = {}
        self._checked: set[str] = set()
        self._fetched = 0
        self._samples: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def begin(self, name: str, *, is_check: bool = False) -> None:
        self._under_way.setdefault(name, 0)
        if is_check:
            self._checked.add(name)
        else:
            self._checked.discard(name)

    def report(self, name: str, size: int, fetched: int = 0) -> None:
        """`size` bytes of the file are on disk now, `fetched` of them are new."""
        self._under_way[name] = size
        self._notes.pop(name, None)
        self._fetched += fetched

    def wait(self, name: str, note: str) -> None:
        self._notes[name] = note

    def finish(self, name: str, size: int) -> None:
        self._under_way.pop(name, None)
        self._notes.pop(name, None)
        self._checked.discard(name)
        self._finished += size

    def snapshot(self, *, is_done: bool = False) -> DownloadProgress:
        return DownloadProgress(
            stage=Stage.DONE if is_done else self._stage(),
            target=self._target,
            done=self._total if is_done else self._finished + sum(self._under_way.values()),
            total=self._total,
            speed=self._speed(),
            files=tuple(self._under_way),
            note=next(iter(self._notes.values()), ""),
        )

    def _stage(self) -> Stage:
        names = set(self._under_way)
        if names and names <= set(self._notes):
            return Stage.WAITING
        return Stage.CHECKING if names and names <= self._checked else Stage.DOWNLOADING

    def _speed(self) -> float:
        now = time.monotonic()
        self._samples.append((now, self._fetched))
        while len(self._samples) > 2 and now - self._samples[1][0] > _WINDOW_SECONDS:
            self._samples.popleft()
        (then, before) = self._samples[0]
        return (self._fetched - before) / (now - then) if now > then else 0.0


def shown_seconds(seconds: float) -> str:
    """A time as people read it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
