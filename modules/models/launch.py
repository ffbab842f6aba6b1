"""How an engine comes up: in two steps, so that a bad file is found while the model before it still serves."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from modules.backends.registry import loader_for
from modules.engine.process import ProcessEngine
from modules.engine.protocols import Engine, Loader, ReportProgress
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import LoadSpec


class Candidate(Protocol):
    """A model whose header and vocabulary were read, and whose weights were not. `pid` is that of its own process, None
    when it has none."""

    @property
    def pid(self) -> int | None: ...

    async def load(self, report: ReportProgress) -> Engine:
        """Load the weights; `report` is called on the event loop. Raises LoadFailed, leaving nothing behind."""
        ...

    async def aclose(self) -> None:
        """Give it up instead of loading it."""
        ...


Launch: TypeAlias = Callable[[LoadSpec], Awaitable[Candidate]]


async def launch_engine(spec: LoadSpec) -> Candidate:
    """In a child process: the way for every real model. Raises LoadFailed."""
    return _ChildCandidate(await ProcessEngine.probe(spec))


async def launch_in_process(spec: LoadSpec) -> Candidate:
    """On a thread of this process: for the scripted backend, where starting a process costs more than running it."""
    loader = loader_for(spec.loader)
    await asyncio.to_thread(loader.probe, spec)
    return _ThreadCandidate(spec, loader)


class _ChildCandidate:
    def __init__(self, engine: ProcessEngine) -> None:
        self._engine = engine

    @property
    def pid(self) -> int:
        return self._engine.pid

    async def load(self, report: ReportProgress) -> Engine:
        await self._engine.load(report)
        return self._engine

    async def aclose(self) -> None:
        await self._engine.aclose()


class _ThreadCandidate:
    def __init__(self, spec: LoadSpec, loader: Loader) -> None:
        self._spec = spec
        self._loader = loader

    @property
    def pid(self) -> None:
        return None

    async def load(self, report: ReportProgress) -> Engine:
        loop = asyncio.get_running_loop()

        def report_to_loop(fraction: float) -> None:
            loop.call_soon_threadsafe(report, fraction)

        backend = await asyncio.to_thread(self._loader.load, self._spec, report_to_loop)
        return ThreadedEngine(backend, max_queue=self._spec.max_queue)

    async def aclose(self) -> None:
        """Nothing is held yet."""
