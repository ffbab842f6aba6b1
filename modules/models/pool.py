"""The loaded models, each in a process of its own, and the lease that is the only way to use one."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar, overload

from modules.engine.protocols import Engine, MediaEngine
from modules.engine.types import Adapter, LoadSpec, MediaModelKind, ModelCard, ModelKind, TextKind
from modules.errors import NotFound, NotInstalled, NotLoaded, SettingsError
from modules.models.catalog import AdapterCatalog, model_catalog
from modules.models.gauge import MemoryGauge, SystemMemory
from modules.models.loaded_model import LoadedModel, ModelEvents
from modules.models.loaded_models import LoadedModels
from modules.models.loading import Launch, ModelLoading, launch_engine
from modules.models.options import LoadOptions
from modules.models.roster import Roster, first_spec, named_media, own_model, pinned_names, requested_spec
from modules.models.shared_load import SharedLoad
from modules.models.state import ModelState, StateFeed, Status
from modules.paths import UserData
from modules.requests import AdapterChoice
from modules.settings.values import Settings

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

# Enough for most replies to end by themselves, short enough for a user who waits for the new model.
DRAIN_SECONDS: Final = 30.0
_DIED: Final = "The model process ended unexpectedly. The next request loads the model again."
_NONE_OF_KIND: Final = (
    "There is no {kind} model. Get one with `python3 one_click.py fetch {kind}`, or put one into the model folder."
)
_IDLE: Final = "Unloaded because it was idle. The next request loads it again."


class ModelPool:
    """Loads of a kind happen one after the other, in tasks of their own: a caller who goes away does not leave a model half loaded.
    Make it inside a running event loop.

    `drain_seconds` is how long an unload, and a load in place of the only model, waits for replies under way before it
    ends them. No reply is ended for the sake of another model where several may be loaded.
    """

    def __init__(
        self,
        settings: Settings,
        data: UserData,
        launch: Launch = launch_engine,
        *,
        drain_seconds: float = DRAIN_SECONDS,
        gauge: MemoryGauge | None = None,
    ) -> None:
        self._settings = settings
        self._catalog = model_catalog(data, settings.backends)
        self._adapters = AdapterCatalog(data.loras, settings.backends)
        self._drain_seconds = drain_seconds
        self._feed = StateFeed()
        self._roster = Roster(settings, self._catalog)
        self._loaded = LoadedModels(settings, gauge or SystemMemory(settings), self._feed, self._roster)
        events = ModelEvents(
            idle=lambda loaded: self._in_background(self._unload_idle(loaded)), released=self._loaded.wake
        )
        self._loading = ModelLoading(self._loaded, self._roster, launch, events, settings)
        # An embedding model need not wait until a large chat model has been loaded.
        self._turns = {kind: asyncio.Lock() for kind in ModelKind}
        # Requests for loads are read beside the event loop, and answered in the order in which they came.
        self._asking = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loads: dict[asyncio.Task[Any], str] = {}
        self._is_closing = False
        self._shared: dict[tuple[ModelKind, str | None], SharedLoad] = {}
        self._watch: asyncio.Task[None] | None = None

    @property
    def state(self) -> ModelState:
        """Of the model that answers requests which name none."""
        if self._roster.is_single:
            return self._alive_or_dead(self._feed.current)
        name = self._roster.default_name(self._loaded.recent())
        return self._alive_or_dead((self._feed.of(name) if name else None) or self._feed.current)

    def known_card(self, name: str | None) -> ModelCard | None:
        """Of the chat model that a request with that name is answered by, if it is loaded or sleeps. Looks at no disk."""
        known = self._roster.known(name) if name else None
        state = self._feed.of(known) if known else self.state if not name else None
        return state.card if state is not None and state.kind is ModelKind.CHAT else None

    @property
    def has_model(self) -> bool:
        """Whether requests that name no model are answered, now or when a load under way has ended."""
        is_coming = self._feed.current.status is Status.LOADING
        return is_coming or self._roster.default_name(self._loaded.recent()) is not None

    @property
    def models(self) -> tuple[ModelState, ...]:
        """Every model that is loaded, being loaded or sleeping, and those that failed; the default one first."""
        states = [self._alive_or_dead(self._loaded.measured(state)) for state in self._feed.states]
        default = self.state.name
        return tuple(sorted(states, key=lambda state: state.name != default))

    def changes(self) -> AsyncGenerator[ModelState, None]:
        """The latest state, then each change; for showing the progress of loads."""
        return self._feed.changes()

    def uses(self, name: str | None = None) -> int:
        """How many requests the named model is answering, or all are."""
        return self._loaded.uses(name)

    async def use_counts(self, name: str | None = None) -> AsyncGenerator[int, None]:
        """`uses` now, and again when one has ended; never ends by itself."""
        while True:
            changed = self._loaded.changed
            yield self.uses(name)
            await changed.wait()

    def wake(self) -> None:
        """Wakes the followers of `use_counts`."""
        self._loaded.wake()

    def list_models(self) -> list[str]:
        """Names on disk, as `load` takes them."""
        own = own_model(self._settings)
        return [*([own] if own else []), *self._catalog.names(), *named_media(self._settings)]

    def path_of(self, name: str) -> Path:
        """Where the listed model of exactly that name is; of one without a file, where none is."""
        return self._catalog.path_of(name)

    def kind_of(self, name: str) -> ModelKind:
        """What a model on disk is for; looks at its file."""
        return self._roster.kind_of(name)

    async def kind_named(self, name: str | None) -> ModelKind | None:
        """The kind of the model that a request's name means, None when it means none in particular."""
        return await asyncio.to_thread(self._roster.kind_named, name) if name else None

    async def check_kind(self, kind: ModelKind) -> None:
        """Raises NotInstalled where there is no model of that kind, and names the command that gets one."""
        await self._spec_of(None, kind)

    async def choices(self, kind: ModelKind) -> tuple[LoadSpec, ...]:
        """What requests for that kind may name, the one that answers all others first. Raises NotInstalled when the one
        that the operator named is not there."""
        return await asyncio.to_thread(self._roster.choices, kind, self._loaded.recent(kind))

    def list_adapters(self) -> list[str]:
        """Names of the LoRA adapters on disk, as `apply_adapters` takes them."""
        return self._adapters.names()

    async def find_adapters(self, choices: Sequence[AdapterChoice], loader: str) -> tuple[Adapter, ...]:
        """What a request names, for a model of that loader. Raises NotFound, and BadRequest for one that the loader does not
        apply."""
        return await asyncio.to_thread(self._adapters.chosen, choices, self._settings.backends.named(loader))

    @overload
    def lease(
        self, name: str | None, *, kind: MediaModelKind, keep_alive: float | None = None
    ) -> AbstractAsyncContextManager[MediaEngine]: ...

    @overload
    def lease(
        self, name: str | None, *, kind: TextKind = ModelKind.CHAT, keep_alive: float | None = None
    ) -> AbstractAsyncContextManager[Engine]: ...

    def lease(
        self, name: str | None, *, kind: ModelKind = ModelKind.CHAT, keep_alive: float | None = None
    ) -> AbstractAsyncContextManager[Any]:
        """A loaded model, which stays loaded until the lease ends.

        A `name` that belongs to a loaded model means that one. Where requests may choose (`swaps_models`), one out of
        the list has that model loaded; any other name means the default model. Waits for a load under way and, in
        turn, for room; brings back a model that died or sleeps. `keep_alive` is in seconds after the model's last
        lease, for it and from now on; below 0 it never sleeps. Raises BadRequest, NotLoaded, NotInstalled, LoadFailed,
        NoRoom.
        """
        return self._leased(name, kind, keep_alive)

    @asynccontextmanager
    async def _leased(self, name: str | None, kind: ModelKind, keep_alive: float | None) -> AsyncIterator[Any]:
        loaded = await self._claimed(name, kind)
        try:
            if keep_alive is not None:
                loaded.keep(keep_alive)
            yield loaded.engine
        finally:
            loaded.release()

    def start(self) -> None:
        """Begin to load the first model, if there is one to begin with. Raises SettingsError when it, or one that is to
        be pinned, cannot be found."""
        self._loaded.pinned = pinned_names(self._settings, self._catalog)
        spec = first_spec(self._catalog, self._settings)
        if spec is not None:
            spec = replace(spec, adapters=self._first_adapters())
            self._roster.begin_with(spec)
            self._loaded.publish_loading(spec)
            self._as_load(spec.name, self._swap(spec, is_chosen=False)).set_name(f"load {spec.name}")

    async def load(self, name: str, options: LoadOptions, *, instruction_template: str = "") -> ModelCard:
        """Load the named model; others leave only for want of room. Raises NotFound, BadRequest, LoadFailed, NoRoom.

        `instruction_template`, Jinja source, stands in for the model's own until the next load. The new file's header
        and vocabulary are read first, so that most failures leave everything as it was.
        """
        async with self._asking:
            spec = await asyncio.to_thread(requested_spec, self._catalog, self._settings, name, options)
            load = self._as_load(spec.name, self._swap(replace(spec, instruction_template=instruction_template)))
        return await self._outcome(load)

    async def apply_adapters(self, names: Sequence[str]) -> ModelCard:
        """Load the default model again with exactly these LoRA adapters. Raises NotFound, NotLoaded, LoadFailed."""
        adapters = await asyncio.to_thread(self._found_adapters, names)
        spec = self._roster.meant(None, ModelKind.CHAT, self._loaded.recent())
        if spec is None:
            raise NotLoaded(_advice(self._feed.current))
        return await self._outcome(self._as_load(spec.name, self._swap(replace(spec, adapters=adapters))))

    async def unload(self, name: str | None = None) -> None:
        """Give the memory of the named model back, or that of all models, when their replies under way have ended or
        `drain_seconds` have passed. What of it is being loaded is broken off. Raises NotFound for what is no model."""
        if name is not None:
            name = self._roster.known(name) or await asyncio.to_thread(self._whole_name, name)
        broken_off = {load: each for load, each in self._loads.items() if name in (None, each)}
        for load in broken_off:
            load.cancel()
        await self._outcome(self._in_background(self._unload(name, broken_off)))

    async def aclose(self) -> None:
        """Break off whatever is being loaded and close all models; streams still open end with EngineFailed."""
        # Nothing that is interrupted now may be brought back by a request that is still waiting.
        self._roster.wanted.clear()
        self._is_closing = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._loaded.close_all(patience=0)

    def _first_adapters(self) -> tuple[Adapter, ...]:
        try:
            return self._found_adapters(self._settings.lora)
        except NotFound as error:
            raise SettingsError(f"--lora: {error.message}", param="lora") from error

    def _found_adapters(self, names: Sequence[str]) -> tuple[Adapter, ...]:
        return tuple(dict.fromkeys(self._adapters.find(name) for name in names))

    def _whole_name(self, name: str) -> str:
        if name in self.list_models():
            return name
        return self._catalog.find(name).name

    async def _claimed(self, name: str | None, kind: ModelKind) -> LoadedModel:
        """A model with one use of it begun."""
        while True:
            spec = await self._meant(name, kind)
            loaded = self._loaded.live(spec.name) if spec else None
            if loaded is None:
                loaded = await self._brought_up(name, kind, spec)
                # The process may have died between the load and this task's turn.
                if loaded.engine.is_alive:
                    return loaded
                loaded.release()
            elif loaded.is_free:
                loaded.claim()
                return loaded
            else:
                await self._loaded.changed.wait()

    async def _meant(self, name: str | None, kind: ModelKind) -> LoadSpec | None:
        is_known = not name or self._roster.known(name) is not None
        if kind is not ModelKind.CHAT or not is_known:
            return await asyncio.to_thread(self._roster.meant, name, kind, self._loaded.recent(kind))
        return self._roster.meant(name, kind, self._loaded.recent(kind))

    async def _brought_up(self, name: str | None, kind: ModelKind, spec: LoadSpec | None) -> LoadedModel:
        """All who wait for the same model wait for the same attempt."""
        is_other = spec is not None and not (self._roster.is_single and spec.name in self._roster.wanted)
        key = (kind, spec.name if spec is not None and is_other else None)
        shared = self._shared.get(key)
        if shared is None or shared.task is None or shared.task.done():
            shared = self._shared[key] = SharedLoad()
            shared.task = self._as_load(spec.name if spec else "", self._bring_up(name, kind, shared))
        shared.waiting += 1
        try:
            return await self._outcome(shared.task)
        except BaseException:
            shared.leave()
            raise

    async def _bring_up(self, name: str | None, kind: ModelKind, shared: SharedLoad) -> LoadedModel:
        spec = await self._meant(name, kind)
        if spec is not None:
            # Whoever can never have room is told so at once, not when it is his turn.
            await self._loading.refuse_hopeless(spec)
        async with self._turns[kind]:
            spec = await self._spec_of(name, kind)
            loaded = self._loaded.live(spec.name)
            if loaded is None:
                loaded = await self._loading.bring_up(spec, patience=None)
                self._begin_watch()
            return shared.hand_over(loaded)

    async def _spec_of(self, name: str | None, kind: ModelKind) -> LoadSpec:
        spec = await self._meant(name, kind)
        if spec is None:
            if kind is not ModelKind.CHAT:
                raise NotInstalled(_NONE_OF_KIND.format(kind=kind), param="model")
            raise NotLoaded(_advice(self._feed.current))
        return spec

    async def _swap(self, spec: LoadSpec, *, is_chosen: bool = True) -> ModelCard:
        async with self._turns[spec.kind]:
            loaded = await self._loading.bring_up(spec, self._drain_seconds, is_chosen=is_chosen)
            self._begin_watch()
            return loaded.engine.card

    async def _unload(self, name: str | None, broken_off: Mapping[asyncio.Task[Any], str]) -> None:
        """Where there is only one, a load in its place ends first. A load of another model may wait for just this."""
        if broken_off:
            await asyncio.wait(broken_off)
        names = tuple(broken_off.values())
        if self._roster.is_single:
            async with self._turns[ModelKind.CHAT]:
                await self._unload_now(name, names)
        else:
            await self._unload_now(name, names)

    async def _unload_now(self, name: str | None, broken_off: Sequence[str]) -> None:
        everything = (*self._roster.wanted, *self._loaded.names(), *filter(None, broken_off))
        for each in [name] if name is not None else dict.fromkeys(everything):
            state = self._feed.of(each) or ModelState()
            self._roster.remove(each)
            await self._loaded.close(each, self._drain_seconds)
            self._feed.forget(each)
            # Another chat model may answer still.
            if state.kind is not ModelKind.CHAT or self._feed.current.name == each:
                self._feed.publish(ModelState(kind=state.kind))
            _log.info("%s was unloaded", each)
        if name is None:
            self._feed.publish(ModelState())

    async def _unload_idle(self, loaded: LoadedModel) -> None:
        if self._roster.is_single and loaded.spec.kind is ModelKind.CHAT:
            async with self._turns[ModelKind.CHAT]:
                await self._unload_idle_now(loaded)
        else:
            await self._unload_idle_now(loaded)

    async def _unload_idle_now(self, loaded: LoadedModel) -> None:
        if self._loaded.live(loaded.spec.name) is loaded and not loaded.is_used:
            await self._loaded.close(loaded.spec.name, 0)
            self._loaded.publish_asleep(loaded, _IDLE)
            _log.info("unloaded %s because it was idle", loaded.spec.name)

    def _begin_watch(self) -> None:
        if self._watch is None and self._loaded.is_watched:
            self._watch = self._in_background(self._loaded.watch())

    def _alive_or_dead(self, state: ModelState) -> ModelState:
        if state.status is Status.READY and state.name and self._loaded.is_dead(state.name):
            return replace(state, status=Status.FAILED, message=_DIED)
        return state

    def _as_load(self, name: str, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """In the background, until `unload` breaks it off."""
        task = self._in_background(work)
        self._loads[task] = name
        task.add_done_callback(self._loads.pop)
        return task

    def _in_background(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    async def _outcome(self, task: asyncio.Task[_T]) -> _T:
        """Wait for a task that goes on when the caller is cancelled."""
        await asyncio.wait([task])
        if task.cancelled():
            raise NotLoaded("The server is shutting down." if self._is_closing else "Loading the model was broken off.")
        return task.result()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Read here, because the caller may be gone; the failure was logged where it happened.
            task.exception()


def _advice(state: ModelState) -> str:
    if state.status is Status.FAILED:
        return f"No model is loaded, because loading {state.name} failed: {state.message}"
    return "No model is loaded. Choose one at the top of the page, load one through the API or start the server with --model."
