"""How much memory a model needs, what its process has, and what there is for all of them."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final, Protocol

import psutil

from modules.engine.types import LoadSpec
from modules.models.residency import MemoryLimits, MemoryUse
from modules.settings.values import Settings

# nvidia-smi comes with the driver; a Python binding would be one more dependency.
_QUERY: Final = ("--query-gpu=memory.free,memory.total", "--format=csv,noheader,nounits")
# The first answer wakes the driver, which takes some seconds where no display holds it awake.
_ANSWER_SECONDS: Final = 10
# In a container the machine's memory is not what this process may use.
_CONTROL_GROUP: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class GpuMemory:
    """Of one graphics card, in bytes."""

    free: int
    total: int


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes. `gpus` are the graphics cards whose memory is known."""

    host_free: int
    host_total: int
    gpus: tuple[GpuMemory, ...] = ()

    @property
    def gpu_free(self) -> int | None:
        return sum(card.free for card in self.gpus) if self.gpus else None

    @property
    def gpu_total(self) -> int | None:
        return sum(card.total for card in self.gpus) if self.gpus else None


def room_now() -> Room:
    """Blocks while the driver answers."""
    return Room(*host_room(), gpus_now())


def host_room(group: Path = _CONTROL_GROUP) -> tuple[int, int]:
    """Free and whole main memory, in bytes: of the machine, or of the container that bounds it (Linux, cgroup v2).

    Files in the page cache count as free: the system frees it on demand.
    """
    memory = psutil.virtual_memory()
    try:
        bound = int((group / "memory.max").read_text(encoding="ascii"))
        used = int((group / "memory.current").read_text(encoding="ascii"))
        stat = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
        # Mapped model files are page cache too; counted as used, no second model would ever fit.
        used -= int(stat.get("inactive_file", 0)) + int(stat.get("active_file", 0))
    except (OSError, ValueError):
        # No such group, or one without a bound, which says "max".
        return memory.available, memory.total
    return min(memory.available, max(0, bound - used)), min(memory.total, bound)


def gpus_now() -> tuple[GpuMemory, ...]:
    """The graphics cards that NVIDIA's tool tells of; empty without it. Blocks while the driver answers."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    try:
        done = subprocess.run(
            [tool, *_QUERY],
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        return tuple(_card(line) for line in done.stdout.splitlines() if line.strip())
    except (OSError, subprocess.SubprocessError, ValueError):
        return ()


def _card(line: str) -> GpuMemory:
    free, total = line.split(",")
    return GpuMemory(int(free) * 2**20, int(total) * 2**20)


GIB: Final = 2**30
# What a model process takes before it has a model: the interpreter and the libraries.
_PROCESS: Final = 32 * 2**20
_REMEMBERED: Final = 64
# A sixteenth stays free for the system, between these bounds: small machines have none to spare, large ones enough.
_SMALL_RESERVE: Final = GIB // 2
_LARGE_RESERVE: Final = 2 * GIB


class MemoryGauge(Protocol):
    """Its methods block for some milliseconds; call them on a thread."""

    def need(self, spec: LoadSpec) -> MemoryUse:
        """What the model will take once it is loaded. Raises LoadFailed when its file cannot be read."""
        ...

    def taken(self, pid: int) -> int:
        """Bytes of main memory that the process has now, pages that it shares counted by share; 0 when it is gone. Files
        that it maps count whole, whoever maps them as well: the others may end at any time."""
        ...

    def limits(self, booked: MemoryUse) -> MemoryLimits:
        """What all models together may take now, while those that are loaded take `booked`."""
        ...

    def fit(self, spec: LoadSpec, booked: MemoryUse) -> tuple[LoadSpec, str]:
        """`spec` with what was left on automatic, and that in words, as `BackendSpec.fit` has it. Raises LoadFailed."""
        ...


class SystemMemory:
    """Asks the files and the operating system."""

    def __init__(self, settings: Settings) -> None:
        self._models = settings.models_max
        self._gib = settings.models_memory
        # Reading a header takes some tens of milliseconds, and every request that waits for room asks.
        self._backends = settings.backends
        self._estimated = lru_cache(maxsize=_REMEMBERED)(self._estimate)

    def need(self, spec: LoadSpec) -> MemoryUse:
        return self._estimated(spec, _stamp(spec.path))

    def taken(self, pid: int) -> int:
        try:
            process = psutil.Process(pid)
            if psutil.LINUX:
                maps = process.memory_maps(grouped=True)
                return sum(each.rss if _is_data_file(each.path) else each.pss for each in maps)
            memory = process.memory_full_info()
        except psutil.Error:
            return 0
        # PSS exists on Linux only, USS on macOS and Windows.
        return int(getattr(memory, "uss", 0) or memory.rss)

    def limits(self, booked: MemoryUse) -> MemoryLimits:
        if self._gib is not None:
            bound = round(self._gib * GIB) or None
            return MemoryLimits(self._models, bound, bound if self._has_gpu else None)
        room = room_now()
        gpu = None if room.gpu_free is None or not self._has_gpu else room.gpu_free + booked.gpu - _SMALL_RESERVE
        # What loaded models take is not free, but theirs to give back.
        host = room.host_free + booked.host - booked.untaken - _reserve(room.host_total)
        return MemoryLimits(self._models, max(0, host), gpu)

    def fit(self, spec: LoadSpec, booked: MemoryUse) -> tuple[LoadSpec, str]:
        """Beside the loaded models where it fits there as a whole, else in their place."""
        backend, room = self._backends.named(spec.loader), room_now()
        bound = self.limits(booked).host
        free = room.host_free + booked.host - booked.untaken
        most = free - _reserve(room.host_total) if bound is None else bound
        most -= _PROCESS
        cards = room.gpus if backend.can_use_gpu() else ()
        beside = backend.fit(spec, most - booked.host, tuple(card.free for card in cards))
        if not beside[1] or booked == MemoryUse():
            return beside
        # Which card a model is on is not known; with one card it is certain.
        shares = (booked.gpu,) if len(cards) == 1 else tuple(card.total - card.free for card in cards)
        freed = zip(cards, shares, strict=True)
        return backend.fit(spec, most, tuple(min(card.total, card.free + share) for card, share in freed))

    @cached_property
    def _has_gpu(self) -> bool:
        return self._backends.can_use_gpu()

    def _estimate(self, spec: LoadSpec, _stamp: tuple[int, int]) -> MemoryUse:
        backend = self._backends.named(spec.loader)
        found = backend.estimate(spec, tuple(card.free for card in gpus_now()) if backend.can_use_gpu() else ())
        return MemoryUse(host=found.host + _PROCESS, gpu=found.gpu)


def _is_data_file(path: str) -> bool:
    """Whether what is mapped are weights, and not a library, which every process of the program shares."""
    return path.startswith("/") and ".so" not in path


def shown_bytes(count: int) -> str:
    return f"{count / GIB:.2f} GiB"


def _reserve(total: int) -> int:
    """What is left to everything else on the machine."""
    return min(max(total // 16, _SMALL_RESERVE), _LARGE_RESERVE)


def _stamp(path: str) -> tuple[int, int]:
    """Another one when the file has changed."""
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
