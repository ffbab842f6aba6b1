"""Launching scripted engines in this process, with every way in which that can go wrong."""

import asyncio
from pathlib import Path
from typing import Any

from modules.engine.protocols import Engine, ReportProgress
from modules.engine.types import LoadSpec
from modules.errors import LoadFailed
from modules.models.launch import Candidate, launch_in_process
from modules.models.manager import ModelManager
from modules.settings import Settings


class Launches:
    """Remembers what it launched. Names in `bad_files` fail the probe, those in `too_big` the loading of weights.

    While `gate` is not set, loading weights waits for it.
    """

    def __init__(self) -> None:
        self.bad_files: set[str] = set()
        self.too_big: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.probed: list[str] = []
        self.engines: list[Engine] = []
        self.given_up: list[str] = []

    async def __call__(self, spec: LoadSpec) -> Candidate:
        self.probed.append(spec.name)
        if spec.name in self.bad_files:
            raise LoadFailed(f"{spec.name} is no model.")
        return _Gated(self, spec, await launch_in_process(spec))

    @property
    def loaded(self) -> list[str]:
        return [engine.card.name for engine in self.engines]


class _Gated:
    def __init__(self, launches: Launches, spec: LoadSpec, candidate: Candidate) -> None:
        self._launches = launches
        self._spec = spec
        self._candidate = candidate

    async def load(self, report: ReportProgress) -> Engine:
        report(0.5)
        await self._launches.gate.wait()
        if self._spec.name in self._launches.too_big:
            raise LoadFailed(f"{self._spec.name} does not fit into memory.")
        engine = await self._candidate.load(report)
        self._launches.engines.append(engine)
        return engine

    async def aclose(self) -> None:
        self._launches.given_up.append(self._spec.name)
        await self._candidate.aclose()


def scripted_settings(folder: Path, **changes: Any) -> Settings:
    """Settings under which a.gguf and b.gguf, which lie in `folder`, are run by the scripted backend."""
    for name in ("a.gguf", "b.gguf"):
        (folder / name).touch()
    return Settings.model_validate({"loader": "scripted", "user_data_dir": folder, "model_dir": folder} | changes)


def scripted_manager(folder: Path, launches: Launches, *, drain_seconds: float = 30, **changes: Any) -> ModelManager:
    settings = scripted_settings(folder, **changes)
    return ModelManager(settings, settings.user_data, launches, drain_seconds=drain_seconds)
