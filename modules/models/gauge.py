"""How much memory a model needs, what its process has, and what there is for all of them."""

import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final, Protocol

import psutil

from modules.backends.llamacpp.estimate import embedder_bytes, estimate
from modules.backends.registry import LLAMA_CPP
from modules.engine.types import LoadSpec, ModelKind
from modules.models.residency import MemoryLimits, MemoryUse
from modules.settings.values import Settings

_GPU_LIBRARIES: Final = ("cuda", "hip", "vulkan", "metal", "sycl", "musa", "cann")
# nvidia-smi comes with the driver; a Python binding would be one more dependency.
_QUERY: Final = ("--query-gpu=memory.free,memory.total", "--format=csv,noheader,nounits")
# The first answer wakes the driver, which takes some seconds where no display holds it awake.
_ANSWER_SECONDS: Final = 10
# In a container the machine's memory is not what this process may use.
_CONTROL_GROUP: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes. `gpu_free` and `gpu_total` are sums over all graphics cards, None where that is not known."""

    host_free: int
    host_total: int
    gpu_free: int | None = None
    gpu_total: int | None = None


def room_now() -> Room:
    """Blocks while the driver answers."""
    free, total = host_room()
    cards = _nvidia_cards()
    if not cards:
        return Room(free, total)
    return Room(free, total, sum(free for free, _ in cards), sum(total for _, total in cards))


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


def can_use_gpu() -> bool:
    """Whether llama.cpp was built for a graphics card: told by its libraries' names, so that it need not be loaded."""
    # Not imported: that would load llama.cpp into the server's process.
    found = importlib.util.find_spec("llama_cpp")
    if found is None or not found.origin:
        return False
    names = [path.name.lower() for path in (Path(found.origin).parent / "lib").glob("*ggml-*")]
    return any(f"ggml-{library}" in name for name in names for library in _GPU_LIBRARIES)


def _nvidia_cards() -> list[tuple[int, int]]:
    """Free and whole memory of each card, in bytes; empty without NVIDIA's tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        done = subprocess.run(
            [tool, *_QUERY],
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        return [_card(line) for line in done.stdout.splitlines() if line.strip()]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def _card(line: str) -> tuple[int, int]:
    free, total = line.split(",")
    return int(free) * 2**20, int(total) * 2**20


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


class SystemMemory:
    """Asks the files and the operating system."""

    def __init__(self, settings: Settings) -> None:
        self._models = settings.models_max
        self._gib = settings.models_memory
        # Reading a header takes some tens of milliseconds, and every request that waits for room asks.
        self._estimate = lru_cache(maxsize=_REMEMBERED)(_estimate)

    def need(self, spec: LoadSpec) -> MemoryUse:
        if spec.loader != LLAMA_CPP:
            return MemoryUse(host=_PROCESS)
        return self._estimate(spec, _stamp(spec.path))

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
        if self._models == 1:
            # One model has the machine to itself: whether it fits is found out by loading it.
            return MemoryLimits(1)
        room = room_now()
        gpu = None if room.gpu_free is None or not self._has_gpu else room.gpu_free + booked.gpu - _SMALL_RESERVE
        # What loaded models take is not free, but theirs to give back.
        host = room.host_free + booked.host - _reserve(room.host_total)
        return MemoryLimits(self._models, max(0, host), gpu)

    @cached_property
    def _has_gpu(self) -> bool:
        return can_use_gpu()


def _is_data_file(path: str) -> bool:
    """Whether what is mapped are weights, and not a library, which every process of the program shares."""
    return path.startswith("/") and ".so" not in path


def shown_bytes(count: int) -> str:
    return f"{count / GIB:.2f} GiB"


def _reserve(total: int) -> int:
    """What is left to everything else on the machine."""
    return min(max(total // 16, _SMALL_RESERVE), _LARGE_RESERVE)


def _estimate(spec: LoadSpec, _stamp: tuple[int, int]) -> MemoryUse:
    if spec.kind is not ModelKind.CHAT:
        return MemoryUse(host=embedder_bytes(Path(spec.path), spec) + _PROCESS)
    found = estimate(Path(spec.path), spec, has_gpu=can_use_gpu())
    return MemoryUse(host=found.host + _PROCESS, gpu=found.gpu)


def _stamp(path: str) -> tuple[int, int]:
    """Another one when the file has changed."""
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
