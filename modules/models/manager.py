"""Which model is loaded, and the lease that is the only way to touch it."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final, TypeVar

from modules.backends.registry import SCRIPTED
from modules.engine.protocols import Engine
from modules.engine.types import Adapter, LoadSpec, ModelCard
from modules.errors import LoadFailed, NotFound, NotLoaded, SettingsError
from modules.models.adapters import AdapterCatalog
from modules.models.catalog import Catalog
from modules.models.choice import first_spec, requested_spec
from modules.models.launch import Candidate, Launch, launch_engine
from modules.models.options import LoadOptions
from modules.models.slot import Slot
from modules.models.state import ModelState, StateFeed, Status
from modules.paths import UserData
from modules.settings import Settings

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

DRAIN_SECONDS: Final = 30.0
_DIED: Final = "The model process ended unexpectedly. The next request loads the model again."


class ModelManager:
    """One model at a time. Loads, swaps and unloads happen one after the other, in tasks of their own: a caller who
    goes away does not leave a model half loaded. Make it inside a running event loop.

    `drain_seconds` is how long a swap waits for replies under way before it ends them.
    """

    def __init__(
        self,
        settings: Settings,
        data: UserData,
        launch: Launch = launch_engine,
        *,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self._settings = settings
        self._catalog = Catalog(data.models)
        self._adapters = AdapterCatalog(data.loras)
        self._launch = launch
        self._drain_seconds = drain_seconds
        self._feed = StateFeed()
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._slot: Slot | None = None
        self._wanted: LoadSpec | None = None
        self._revival: asyncio.Task[Slot] | None = None
        self._switches: dict[str, asyncio.Task[None]] = {}

    @property
    def state(self) -> ModelState:
        if self._slot is not None and self._live_slot() is None:
            return replace(self._feed.current, status=Status.FAILED, message=_DIED)
        return self._feed.current

    def changes(self) -> AsyncGenerator[ModelState, None]:
        """The current state, then each later one, for whoever shows the progress of a load."""
        return self._feed.changes()

    def list_models(self) -> list[str]:
        """Names on disk, as `load` takes them."""
        scripted = [SCRIPTED] if self._settings.loader == SCRIPTED else []
        return scripted + self._catalog.names()

    def list_adapters(self) -> list[str]:
        """Names of the LoRA adapters on disk, as `apply_adapters` takes them."""
        return self._adapters.names()

    @asynccontextmanager
    async def lease(self, name: str | None) -> AsyncIterator[Engine]:
        """The loaded model, which stays loaded until the lease ends.

        Where requests may choose (`model_swap`), a `name` out of the list brings up that model instead, once the
        replies of the one before have ended; any other name means the loaded model. Waits for a load under way, and
        brings back a model that died or was unloaded for idleness. Raises NotLoaded, LoadFailed.
        """
        slot = await self._slot_for(name)
        with slot.leased() as engine:
            yield engine

    def start(self) -> None:
        """Begin to load the first model, if there is one to begin with. Raises SettingsError when it cannot be found."""
        spec = first_spec(self._catalog, self._settings)
        if spec is not None:
            spec = replace(spec, adapters=self._first_adapters())
            self._publish_loading(spec)
            self._in_background(self._swap(spec)).set_name(f"load {spec.name}")

    async def load(self, name: str, options: LoadOptions, *, instruction_template: str = "") -> ModelCard:
        """Load the named model in place of the one before. Raises NotFound, BadRequest, LoadFailed.

        `instruction_template`, Jinja source, stands in for the model's own until the next load. The new file's header
        and vocabulary are read first, so that most failures leave the old model serving.
        """
        spec = requested_spec(self._catalog, self._settings, name, options)
        spec = replace(spec, instruction_template=instruction_template)
        return await _outcome(self._in_background(self._swap(spec)))

    async def apply_adapters(self, names: Sequence[str]) -> ModelCard:
        """Load the model again with exactly these LoRA adapters. Raises NotFound, NotLoaded, LoadFailed."""
        adapters = tuple(dict.fromkeys(self._adapters.find(name) for name in names))
        if self._wanted is None:
            raise NotLoaded(_advice(self._feed.current))
        return await _outcome(self._in_background(self._swap(replace(self._wanted, adapters=adapters))))

    async def unload(self) -> None:
        """Give the model's memory back, when the replies under way have ended or `drain_seconds` have passed."""
        await _outcome(self._in_background(self._unload()))

    async def aclose(self) -> None:
        """Break off whatever is being loaded and close the model; streams still open end with EngineFailed."""
        self._wanted = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._close_slot(patience=0)

    def _first_adapters(self) -> tuple[Adapter, ...]:
        try:
            return tuple(dict.fromkeys(self._adapters.find(name) for name in self._settings.lora))
        except NotFound as error:
            raise SettingsError(f"--lora: {error.message}", param="lora") from error

    def _live_slot(self) -> Slot | None:
        return self._slot if self._slot is not None and self._slot.engine.is_alive else None

    async def _slot_for(self, name: str | None) -> Slot:
        chosen = await self._chosen_spec(name) if name and self._settings.model_swap else None
        if chosen is None:
            return self._live_slot() or await self._revived()
        while (slot := self._live_slot()) is None or slot.spec.name != chosen.name:
            # Once more if yet another request has had the model swapped again in the meantime.
            await self._switched(chosen)
        return slot

    async def _chosen_spec(self, name: str) -> LoadSpec | None:
        """How to load the model of that name; None when there is none, or when it is what is loaded anyway."""
        if self._slot is not None and self._slot.spec.name == name:
            return None
        try:
            return await asyncio.to_thread(requested_spec, self._catalog, self._settings, name, LoadOptions())
        except (NotFound, LoadFailed):
            return None

    async def _switched(self, spec: LoadSpec) -> None:
        """All who wait for the same model wait for the same attempt."""
        task = self._switches.get(spec.name)
        if task is None or task.done():
            task = self._switches[spec.name] = self._in_background(self._switch(spec))
        await _outcome(task)

    async def _switch(self, spec: LoadSpec) -> None:
        async with self._turn:
            slot = self._live_slot()
            if slot is None or slot.spec.name != spec.name:
                await self._bring_up(spec, patience=None)

    async def _revived(self) -> Slot:
        """All who find no live model wait for the same attempt."""
        if self._revival is None or self._revival.done():
            self._revival = self._in_background(self._revive())
        return await _outcome(self._revival)

    async def _revive(self) -> Slot:
        async with self._turn:
            slot = self._live_slot()
            if slot is not None:
                return slot
            if self._wanted is None:
                raise NotLoaded(_advice(self._feed.current))
            return await self._bring_up(self._wanted, patience=0)

    async def _swap(self, spec: LoadSpec) -> ModelCard:
        async with self._turn:
            slot = await self._bring_up(spec, self._drain_seconds)
            return slot.engine.card

    async def _unload(self) -> None:
        async with self._turn:
            self._wanted = None
            await self._close_slot(self._drain_seconds)
            self._feed.publish(ModelState())
            _log.info("the model was unloaded")

    async def _rest(self, slot: Slot) -> None:
        async with self._turn:
            if slot is self._slot and not slot.is_used:
                await self._close_slot(patience=0)
                message = "Unloaded because nobody used it. The next request loads it again."
                self._feed.publish(ModelState(name=slot.spec.name, card=slot.engine.card, message=message))
                _log.info("unloaded %s after %g idle minutes", slot.spec.name, self._settings.idle_timeout)

    async def _bring_up(self, spec: LoadSpec, patience: float | None) -> Slot:
        """Read the new file, close the old model, load the new one; only for who has the turn.

        Replies of the old model have `patience` seconds to end, or all the time they need.
        """
        old = self._live_slot()
        _log.info("loading %s", spec.name)
        try:
            candidate = await self._probed(spec)
            return await self._exchanged(spec, candidate, patience)
        except LoadFailed as failure:
            _log.error("%s could not be loaded: %s", spec.name, failure.message)
            raise self._mourned(spec, failure, old) from failure
        except Exception:
            self._feed.publish(ModelState(status=Status.FAILED, name=spec.name, message="Loading it broke down."))
            raise

    async def _probed(self, spec: LoadSpec) -> Candidate:
        if self._live_slot() is None:
            self._publish_loading(spec)
            await self._close_slot(patience=0)
        return await self._launch(spec)

    async def _exchanged(self, spec: LoadSpec, candidate: Candidate, patience: float | None) -> Slot:
        self._publish_loading(spec)
        try:
            await self._close_slot(patience)
        except BaseException:
            await candidate.aclose()
            raise
        started = time.monotonic()
        engine = await candidate.load(lambda fraction: self._publish_loading(spec, fraction))
        idle_seconds = self._settings.idle_timeout * 60
        slot = Slot(spec, engine, idle_seconds=idle_seconds, on_idle=lambda: self._in_background(self._rest(slot)))
        self._slot, self._wanted = slot, spec
        self._publish_ready(engine.card)
        _log.info("loaded %s in %.1f s", spec.name, time.monotonic() - started)
        return slot

    def _mourned(self, spec: LoadSpec, failure: LoadFailed, old: Slot | None) -> LoadFailed:
        """The failure as its caller should hear it, and as the state shows it from now on."""
        if old is not None and old is self._slot:
            return failure
        message = failure.message
        if old is not None:
            message += f" {old.spec.name} had been unloaded to make room; the next request loads it again."
        self._feed.publish(ModelState(status=Status.FAILED, name=spec.name, message=message))
        return LoadFailed(message)

    async def _close_slot(self, patience: float | None) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            await slot.close(patience if slot.engine.is_alive else 0)

    def _publish_loading(self, spec: LoadSpec, fraction: float = 0.0) -> None:
        self._feed.publish(ModelState(status=Status.LOADING, name=spec.name, progress=fraction))

    def _publish_ready(self, card: ModelCard) -> None:
        now = int(time.time())
        self._feed.publish(ModelState(status=Status.READY, name=card.name, card=card, progress=1.0, loaded_at=now))

    def _in_background(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Read here, because nobody may be waiting for the task any more; what failed was logged where it failed.
            task.exception()


async def _outcome(task: asyncio.Task[_T]) -> _T:
    """Wait for a task that goes on when the caller is cancelled."""
    await asyncio.wait([task])
    if task.cancelled():
        raise NotLoaded("The server is shutting down.")
    return task.result()


def _advice(state: ModelState) -> str:
    if state.status is Status.FAILED:
        return f"No model is loaded, because loading {state.name} failed: {state.message}"
    return "No model is loaded. Load one through the API, or start the server with --model."
