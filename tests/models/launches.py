"""Launching scripted engines in this process, with every way in which that can go wrong."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from modules.engine.protocols import AnyEngine, ReportProgress
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import LoadSpec
from modules.errors import LoadFailed
from modules.models.gauge import GIB, SystemMemory
from modules.models.loading import Candidate, launch_in_process
from modules.models.pool import ModelPool
from modules.models.residency import MemoryLimits, MemoryUse
from modules.settings.values import Settings
from tests.scripted import CardedBackend


class Launches:
    """Remembers what it launched. Names in `bad_files` fail the probe, those in `too_big` the loading of weights.

    While `gate` is not set, loading weights waits for it. `beside` has, for each name, what was loaded when it was probed last.
    """

    def __init__(self) -> None:
        self.bad_files: set[str] = set()
        self.too_big: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.probed: list[str] = []
        self.beside: dict[str, list[str]] = {}
        self.engines: list[AnyEngine] = []
        self.given_up: list[str] = []
        self.pids: dict[str, int] = {}
        self.taken: dict[int, float] = {}
        self.on_gpu: dict[str, float] = {}
        self.growing: dict[str, float] = {}

    async def __call__(self, spec: LoadSpec) -> Candidate:
        self.probed.append(spec.name)
        self.beside[spec.name] = [engine.card.name for engine in self.engines if engine.is_alive]
        if spec.name in self.bad_files:
            raise LoadFailed(f"{spec.name} is no model.")
        return _Gated(self, spec, await launch_in_process(spec))

    def claims(self, name: str) -> dict[str, int]:
        """What the card of a model says of its memory."""
        fields = {"gpu_bytes": self.on_gpu, "growth_bytes": self.growing}
        return {field: round(gibs[name] * GIB) for field, gibs in fields.items() if name in gibs}

    @property
    def loaded(self) -> list[str]:
        return [engine.card.name for engine in self.engines]


class _Gated:
    def __init__(self, launches: Launches, spec: LoadSpec, candidate: Candidate) -> None:
        self._launches = launches
        self._spec = spec
        self._candidate = candidate

    @property
    def pid(self) -> int | None:
        return self._launches.pids.get(self._spec.name)

    async def load(self, report: ReportProgress) -> AnyEngine:
        report(0.5)
        await self._launches.gate.wait()
        if self._spec.name in self._launches.too_big:
            raise LoadFailed(f"{self._spec.name} does not fit into memory.")
        engine = await self._candidate.load(report)
        if claims := self._launches.claims(self._spec.name):
            await engine.aclose()
            engine = ThreadedEngine(CardedBackend(self._spec, **claims))
        self._launches.engines.append(engine)
        return engine

    async def aclose(self) -> None:
        self._launches.given_up.append(self._spec.name)
        await self._candidate.aclose()


class FixedGauge:
    """Memory by the names of models, and by the process ids that `Launches.pids` gives them, in GiB."""

    def __init__(self, settings: Settings, needs: dict[str, float], taken: dict[int, float] | None = None) -> None:
        self._system = SystemMemory(settings)
        self.needs = needs
        self.by_pid = taken or {}
        self.on_gpu: dict[str, float] = {}

    def need(self, spec: LoadSpec) -> MemoryUse:
        on_gpu = self.on_gpu.get(spec.name, 0.0)
        return MemoryUse(host=round(self.needs[spec.name] * GIB), gpu=round(on_gpu * GIB))

    def taken(self, pid: int) -> int:
        return round(self.by_pid[pid] * GIB)

    def fit(self, spec: LoadSpec, booked: MemoryUse) -> tuple[LoadSpec, str]:
        return self._system.fit(spec, booked)

    def limits(self, booked: MemoryUse) -> MemoryLimits:
        found = self._system.limits(booked)
        return replace(found, gpu=found.host) if self.on_gpu else found


def scripted_settings(folder: Path, names: Sequence[str] = ("a.gguf", "b.gguf"), **changes: Any) -> Settings:
    """Settings under which `names`, which lie in `folder`, are run by the scripted backend."""
    for name in names:
        (folder / name).touch()
    return Settings.model_validate({"loader": "scripted", "user_data_dir": folder, "model_dir": folder} | changes)


def scripted_pool(folder: Path, launches: Launches, *, drain_seconds: float = 30, **changes: Any) -> ModelPool:
    settings = scripted_settings(folder, **changes)
    return ModelPool(settings, settings.user_data, launches, drain_seconds=drain_seconds)


def pool_of_several(
    folder: Path,
    launches: Launches,
    *,
    needs: dict[str, float] | None = None,
    on_gpu: dict[str, float] | None = None,
    **changes: Any,
) -> ModelPool:
    """Of a.gguf, b.gguf, c.gguf and d.gguf, two at a time; `needs` is the memory of each in GiB, `on_gpu` what it is
    expected to take on graphics cards."""
    names = ("a.gguf", "b.gguf", "c.gguf", "d.gguf")
    settings = scripted_settings(folder, names, **({"models_max": 2} | changes))
    gauge = FixedGauge(settings, needs or dict.fromkeys(names, 0.01), launches.taken)
    gauge.on_gpu = on_gpu or {}
    return ModelPool(settings, settings.user_data, launches, drain_seconds=0.05, gauge=gauge)
