"""How a model is loaded: estimate, probe in a fresh process, make room, load the weights, measure."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias

from modules.backends.cores import media_threads
from modules.backends.registry import BACKENDS, Backends
from modules.engine.media_process import MediaProcess
from modules.engine.process import ProcessEngine
from modules.engine.protocols import AnyEngine, Loader, ReportProgress
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import LoadFailed, NoRoom, NotInstalled
from modules.models.loaded_model import LoadedModel, ModelEvents
from modules.models.loaded_models import LoadedModels
from modules.models.residency import ModelNeed
from modules.models.roster import Roster
from modules.settings.values import Settings

_log = logging.getLogger(__name__)


class Candidate(Protocol):
    """A model whose header and vocabulary were read, and whose weights were not. `pid` is that of its own process, None
    when it has none."""

    @property
    def pid(self) -> int | None: ...

    async def load(self, report: ReportProgress) -> AnyEngine:
        """Load the weights; `report` is called on the event loop. Raises LoadFailed, leaving nothing behind."""
        ...

    async def aclose(self) -> None:
        """Give it up instead of loading it."""
        ...


Launch: TypeAlias = Callable[[LoadSpec], Awaitable[Candidate]]


async def launch_engine(spec: LoadSpec, command: Sequence[str] = (), backends: Backends = BACKENDS) -> Candidate:
    """In a child process, the usual one or, for models of text, that of `command`: the way for every real model. Raises
    LoadFailed, NotInstalled."""
    if spec.kind.is_media:
        process = await asyncio.to_thread(backends.media_engine(spec.loader).process, spec)
        return _ChildCandidate(await MediaProcess.probe(spec, process))
    return _ChildCandidate(await ProcessEngine.probe(spec, command=command))


async def launch_in_process(spec: LoadSpec, backends: Backends = BACKENDS) -> Candidate:
    """On a thread of this process: for the scripted backend, where starting a process costs more than running it. Media
    engines have a process of their own even so."""
    if spec.kind.is_media:
        return await launch_engine(spec, backends=backends)
    loader = backends.loader_for(spec.loader)
    await asyncio.to_thread(loader.probe, spec)
    return _ThreadCandidate(spec, loader)


class _ChildCandidate:
    def __init__(self, engine: ProcessEngine | MediaProcess) -> None:
        self._engine = engine

    @property
    def pid(self) -> int:
        return self._engine.pid

    async def load(self, report: ReportProgress) -> AnyEngine:
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

    async def load(self, report: ReportProgress) -> AnyEngine:
        loop = asyncio.get_running_loop()

        def report_to_loop(fraction: float) -> None:
            # The loader calls this on its thread.
            loop.call_soon_threadsafe(report, fraction)

        backend = await asyncio.to_thread(self._loader.load, self._spec, report_to_loop)
        return ThreadedEngine(backend, max_queue=self._spec.max_queue)

    async def aclose(self) -> None:
        """Nothing is held yet."""


class ModelLoading:
    """One load at a time of each kind: the caller of `bring_up` must hold the kind's lock."""

    def __init__(
        self, loaded: LoadedModels, roster: Roster, launch: Launch, events: ModelEvents, settings: Settings
    ) -> None:
        self._loaded = loaded
        self._roster = roster
        self._launch = launch
        self._events = events
        self._idle_seconds = settings.idle_timeout * 60 or None
        self._media_idle_seconds = settings.media_idle_timeout * 60 or None

    async def refuse_hopeless(self, spec: LoadSpec) -> None:
        """Raises NoRoom when there can be no room for it, however long it waits, and LoadFailed."""
        fitted, choice = await self._loaded.fitted(spec)
        await self._loaded.refuse_hopeless(await self._loaded.need(fitted if choice else spec))

    async def bring_up(self, spec: LoadSpec, patience: float | None, *, is_chosen: bool = False) -> LoadedModel:
        """Load the model, unloading what has to make room. See `LoadedModels.make_room` for `patience`. `is_chosen` says that
        an operator wants it. Raises LoadFailed, NoRoom, NotInstalled."""
        left: list[str] = []
        _log.info("loading %s", spec.name)
        try:
            loaded = await self._load(spec, patience, left)
        except (LoadFailed, NoRoom, NotInstalled) as failure:
            _log.error("%s could not be loaded: %s", spec.name, failure.message)
            raise self._reported(spec, failure, left) from failure
        except Exception:
            self._loaded.publish_failed(spec, "Loading it failed unexpectedly; see the log.")
            raise
        finally:
            self._loaded.gone(spec.name)
        for name in left:
            if name != spec.name:
                self._roster.evicted(name, spec.kind)
        self._roster.add(spec, is_chosen=is_chosen)
        self._loaded.publish_ready(loaded)
        return loaded

    async def _load(self, spec: LoadSpec, patience: float | None, left: list[str]) -> LoadedModel:
        is_only = self._roster.is_single and spec.kind is ModelKind.CHAT
        if not (is_only and self._loaded.recent()):
            self._loaded.publish_loading(spec)
        await self._loaded.close_dead()
        fitted, choice = await self._loaded.fitted(spec)
        need = await self._loaded.need(fitted if choice else spec)
        await self._loaded.refuse_hopeless(need)
        if choice:
            _log.info("%s is made to fit: %s", spec.name, choice)
        if spec.kind.is_media:
            fitted = replace(fitted, threads=media_threads(is_alone=not self._loaded.recent()))
        # Read while the old model still serves: a damaged file then ends no reply.
        candidate = await self._launch(fitted) if await self._loaded.has_room_to_probe(fitted) else None
        try:
            self._loaded.publish_loading(spec)
            await self._loaded.make_room(need, patience, left)
            candidate = candidate or await self._launch(fitted)
        except BaseException:
            if candidate is not None:
                await candidate.aclose()
            raise
        return await self._loaded_model(spec, candidate, need)

    def _reported(
        self, spec: LoadSpec, failure: LoadFailed | NoRoom | NotInstalled, left: list[str]
    ) -> LoadFailed | NoRoom | NotInstalled:
        """The failure as its caller should hear it, and as the state shows it from now on."""
        is_only = self._roster.is_single and spec.kind is ModelKind.CHAT
        if self._loaded.live(spec.name) or (is_only and self._loaded.recent()):
            self._loaded.publish_ready_again()
            return failure
        message = failure.message
        if left:
            them = "it" if len(left) == 1 else "each"
            message += f" {' and '.join(left)} had been unloaded to make room; the next request loads {them} again."
        self._loaded.publish_failed(spec, message)
        return type(failure)(message, param=failure.param)

    async def _loaded_model(self, spec: LoadSpec, candidate: Candidate, need: ModelNeed) -> LoadedModel:
        started = time.monotonic()
        engine = await candidate.load(lambda fraction: self._loaded.publish_loading(spec, fraction))
        is_pinned = spec.name in self._loaded.pinned
        keep_seconds = self._media_idle_seconds if spec.kind.is_media else self._idle_seconds
        loaded = LoadedModel(spec, engine, self._events, keep_seconds=keep_seconds, is_pinned=is_pinned)
        loaded.pid = candidate.pid
        try:
            await self._loaded.add(loaded, need.memory)
        except BaseException:
            await engine.aclose()
            raise
        taken = f", {loaded.memory.host / 2**20:,.0f} MiB" if loaded.memory.host else ""
        _log.info("loaded %s in %.1f s%s", spec.name, time.monotonic() - started, taken)
        if chosen := engine.card.tuning:
            _log.info("self-test of %s: %s", spec.name, chosen)
        return loaded
