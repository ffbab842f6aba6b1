"""How much memory a model will need, what its process has, and what there is for all of them."""

import os
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final, Protocol

import psutil

from modules.backends.llamacpp.estimate import embedder_bytes, estimate
from modules.backends.registry import LLAMA_CPP
from modules.engine.types import LoadSpec, ModelKind
from modules.models.residency import MemoryLimits, MemoryUse
from modules.models.room import can_use_gpu, room_now
from modules.settings.values import Settings

GIB: Final = 2**30
# What a model process takes before it has a model: the interpreter and the libraries.
_PROCESS: Final = 32 * 2**20
_REMEMBERED: Final = 64
_SMALL_RESERVE: Final = GIB // 2
_LARGE_RESERVE: Final = 2 * GIB


class MemoryGauge(Protocol):
    """Its methods block for some milliseconds; call them on a thread."""

    def need(self, spec: LoadSpec) -> MemoryUse:
        """What the model will take once it is loaded. Raises LoadFailed when its file cannot be read."""
        ...

    def taken(self, pid: int) -> int:
        """Bytes of main memory that the process has now, shared pages counted by share; 0 when it is gone."""
        ...

    def limits(self, booked: MemoryUse) -> MemoryLimits:
        """What all models together may take now, while those that are loaded take `booked`."""
        ...


class SystemMemory:
    """Asks the files and the operating system."""

    def __init__(self, settings: Settings) -> None:
        self._models = settings.models_max
        self._gib = settings.models_memory
        self._estimate = lru_cache(maxsize=_REMEMBERED)(_estimate)

    def need(self, spec: LoadSpec) -> MemoryUse:
        if spec.loader != LLAMA_CPP:
            return MemoryUse(host=_PROCESS)
        return self._estimate(spec, _stamp(spec.path))

    def taken(self, pid: int) -> int:
        try:
            memory = psutil.Process(pid).memory_full_info()
        except psutil.Error:
            return 0
        return int(getattr(memory, "pss", 0) or getattr(memory, "uss", 0) or memory.rss)

    def limits(self, booked: MemoryUse) -> MemoryLimits:
        if self._gib is not None:
            bound = round(self._gib * GIB) or None
            return MemoryLimits(self._models, bound, bound if self._has_gpu else None)
        if self._models == 1:
            # One model has the machine to itself: whether it fits is found out by loading it.
            return MemoryLimits(1)
        room = room_now()
        gpu = None if room.gpu_free is None or not self._has_gpu else room.gpu_free + booked.gpu - _SMALL_RESERVE
        host = room.host_free + booked.host - _reserve(room.host_total)
        return MemoryLimits(self._models, max(0, host), gpu)

    @cached_property
    def _has_gpu(self) -> bool:
        return can_use_gpu()


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
