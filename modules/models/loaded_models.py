"""The models in memory: what each takes, and which are unloaded to make room."""

import asyncio
import logging
import time
from dataclasses import replace
from typing import Final

from modules.engine.types import LoadSpec, ModelKind
from modules.errors import NoRoom
from modules.models.gauge import MemoryGauge, shown_bytes
from modules.models.loaded_model import LoadedModel
from modules.models.residency import (
    Fits,
    MemoryLimits,
    MemoryUse,
    ModelNeed,
    MustWait,
    NeverFits,
    Resident,
    Shortage,
    excess,
    plan,
)
from modules.models.roster import Roster
from modules.models.state import ModelState, StateFeed, Status
from modules.settings.values import Settings

_log = logging.getLogger(__name__)

# What has grown beyond the budget may stay so for a few seconds only.
_WATCH_SECONDS: Final = 1.0
# Measuring walks the page tables of every process, which takes time; idle models hardly grow.
_QUIET_SECONDS: Final = 30.0
# Options are part of the key: trying them out would fill it without end.
_REMEMBERED: Final = 64
_MADE_ROOM: Final = "Unloaded to make room for another model. The next request for it loads it again."
_GREW: Final = "Unloaded because the loaded models had grown beyond --models-memory. The next request loads it again."


class LoadedModels:
    """One entry for each model in memory, by name. `pinned` names those that never make room."""

    def __init__(self, settings: Settings, gauge: MemoryGauge, feed: StateFeed, roster: Roster) -> None:
        self.pinned: frozenset[str] = frozenset()
        self._settings = settings
        self._gauge = gauge
        self._feed = feed
        self._roster = roster
        self._models: dict[str, LoadedModel] = {}
        self._closing: set[LoadedModel] = set()
        self._coming: dict[str, Resident] = {}
        self._held_for: dict[str, tuple[str, ...]] = {}
        self._needs: dict[LoadSpec, MemoryUse] = {}
        self._changed = asyncio.Event()

    @property
    def is_watched(self) -> bool:
        """Whether the operator has set a bound, which models must not grow beyond."""
        return bool(self._settings.models_memory)

    @property
    def changed(self) -> asyncio.Event:
        """Set at the next change."""
        return self._changed

    def names(self) -> list[str]:
        return list(self._models)

    def recent(self, kind: ModelKind = ModelKind.CHAT) -> list[str]:
        """The live ones of that kind, the one that was used last first."""
        live = [loaded for loaded in self._models.values() if loaded.engine.is_alive and loaded.spec.kind is kind]
        return [loaded.spec.name for loaded in sorted(live, key=lambda loaded: -loaded.resident.last_used)]

    def live(self, name: str) -> LoadedModel | None:
        loaded = self._models.get(name)
        return loaded if loaded is not None and loaded.engine.is_alive else None

    def uses(self, name: str | None) -> int:
        """How many requests the named model is answering, or all are; also of one that another is being loaded for."""
        loaded = (*(each for each in self._models.values() if each.engine.is_alive), *self._closing)
        return sum(each.uses for each in loaded if name in {None, each.spec.name})

    def is_dead(self, name: str) -> bool:
        return name in self._models and self.live(name) is None

    def wake(self) -> None:
        """Something has changed for those who wait for room or for a held model."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def fitted(self, spec: LoadSpec) -> tuple[LoadSpec, str]:
        """With what was left on automatic chosen for the memory that there is, and that in words. Raises LoadFailed."""
        return await asyncio.to_thread(self._gauge.fit, spec, self._booked())

    async def need(self, spec: LoadSpec) -> ModelNeed:
        """What it took when it was loaded before, else an estimate. Raises LoadFailed."""
        if not self._is_bounded(spec.kind):
            return ModelNeed(spec.name, spec.kind)
        memory = self._needs.get(spec)
        if memory is None:
            memory = await asyncio.to_thread(self._gauge.need, spec)
        return ModelNeed(spec.name, spec.kind, memory)

    async def refuse_hopeless(self, need: ModelNeed) -> None:
        """Raises NoRoom when waiting would not help."""
        await self._weigh(need.kind)
        limits = await self._limits(need.kind)
        # What is closing, or only just coming, is not in the way for long.
        staying = [loaded.resident for loaded in self._models.values() if loaded.engine.is_alive]
        decision = plan(staying, need, limits)
        if isinstance(decision, NeverFits):
            raise _no_room(need, decision)

    async def has_room_to_probe(self, spec: LoadSpec) -> bool:
        """Whether a file may be read before there is room for the model."""
        bound = (await self._limits(spec.kind)).host
        return bound is None or self._booked().host + self._settings.backends.named(spec.loader).probe_bytes <= bound

    async def make_room(self, need: ModelNeed, patience: float | None, left: list[str]) -> None:
        """Unload what has to leave for `need`, least recently used first, and add the names to `left`. From then on its
        memory counts, until `gone`.

        Models in use are waited for, and take no new requests meanwhile. With `patience`, a model of the same
        name, and the only one that may be loaded, is closed after so many seconds even so. Raises NoRoom.
        """
        try:
            while True:
                changed = self.changed
                # While a process ends its memory is neither free nor taken.
                match None if self._closing else await self._decision(need):
                    case NeverFits() as refused if not (self._coming or self._closing):
                        raise _no_room(need, refused)
                    case Fits(()):
                        # Counted as used and pinned, so that no other load takes the room that was made.
                        coming = Resident(need.name, need.kind, need.memory, is_used=True, is_pinned=True)
                        self._coming[need.name] = coming
                        return
                    case Fits(names):
                        await self._leave(names, need, 0, left)
                    case MustWait(names) if patience is not None and self._may_cut(names, need):
                        await self._leave(names, need, patience, left)
                    case MustWait(names):
                        self._hold(need, names)
                        await changed.wait()
                    case _:
                        # Something is closing or only just coming.
                        await changed.wait()
        finally:
            self._hold(need, ())

    def gone(self, name: str) -> None:
        """A load that room was made for is over, well or not."""
        self._coming.pop(name, None)
        self.wake()

    async def add(self, loaded: LoadedModel, memory: MemoryUse) -> None:
        """The model is loaded; `memory` is what it was expected to take. What it took is told by its backend for graphics
        cards, and by the system for main memory."""
        loaded.memory = replace(memory, gpu=loaded.engine.card.gpu_bytes or memory.gpu)
        await self._measure(loaded, growth=loaded.engine.card.growth_bytes)
        self._models[loaded.spec.name] = loaded
        del self._coming[loaded.spec.name]

    async def close(self, name: str, patience: float | None) -> None:
        """End the model's process, when the replies under way have ended or after `patience` seconds."""
        loaded = self._models.pop(name, None)
        if loaded is None:
            return
        self._closing.add(loaded)
        try:
            await loaded.close(patience if loaded.engine.is_alive else 0)
        finally:
            self._closing.discard(loaded)
            self.wake()

    async def close_dead(self) -> None:
        """Close what is left of models whose processes have ended."""
        for name in [name for name in self._models if self.live(name) is None]:
            await self.close(name, 0)

    async def close_all(self, patience: float | None) -> None:
        for name in self.names():
            await self.close(name, patience)

    async def watch(self) -> None:
        """Measure the models for ever, and unload unused ones when they have grown beyond the limits. Idle models
        hardly grow, and measuring costs time."""
        weighed = 0.0
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            residents = [loaded.resident for loaded in self._models.values()]
            is_recent = time.monotonic() - weighed < _QUIET_SECONDS
            if is_recent and not any(each.is_used or each.last_used >= weighed for each in residents):
                continue
            weighed = time.monotonic()
            await self._weigh(ModelKind.CHAT)
            for name in excess(self._residents(), await self._limits(ModelKind.CHAT)):
                loaded = self.live(name)
                if loaded is not None and not loaded.is_used:
                    _log.info("unloading %s: the loaded models have grown beyond --models-memory", name)
                    await self.close(name, 0)
                    self.publish_asleep(loaded, _GREW)

    def measured(self, state: ModelState) -> ModelState:
        loaded = self._models.get(state.name or "")
        return replace(state, memory=loaded.memory.host + loaded.memory.gpu) if loaded else state

    def publish_loading(self, spec: LoadSpec, fraction: float = 0.0) -> None:
        self._feed.publish(ModelState(status=Status.LOADING, name=spec.name, progress=fraction, kind=spec.kind))

    def publish_ready(self, loaded: LoadedModel) -> None:
        card = loaded.engine.card
        self._feed.publish(
            ModelState(
                status=Status.READY,
                name=card.name,
                card=card,
                progress=1.0,
                loaded_at=loaded.loaded_at,
                kind=loaded.spec.kind,
            )
        )

    def publish_ready_again(self) -> None:
        """A load that was shown as under way has come to nothing, and the model before it still answers."""
        if self._feed.current.status is Status.LOADING and (names := self.recent()):
            self.publish_ready(self._models[names[0]])

    def publish_failed(self, spec: LoadSpec, message: str) -> None:
        self._feed.publish(ModelState(status=Status.FAILED, name=spec.name, message=message, kind=spec.kind))

    def publish_asleep(self, loaded: LoadedModel, message: str) -> None:
        self._feed.publish(_asleep(loaded, message))

    def _is_bounded(self, kind: ModelKind) -> bool:
        """Whether memory counts at all. A lone chat model has the machine to itself; what comes beside it has not."""
        return self.is_watched or (
            self._settings.models_memory is None and (kind.is_media or not self._roster.is_single)
        )

    async def _decision(self, need: ModelNeed) -> Fits | MustWait | NeverFits:
        """As things are when it returns."""
        await self._weigh(need.kind)
        limits = await self._limits(need.kind)
        return plan(self._residents(), need, limits, self._held_for.get(need.name, ()))

    def _may_cut(self, names: tuple[str, ...], need: ModelNeed) -> bool:
        used = [name for name in names if (loaded := self.live(name)) and loaded.is_used]
        is_only = self._roster.is_single and need.kind is ModelKind.CHAT
        return is_only or used == [need.name]

    async def _leave(self, names: tuple[str, ...], need: ModelNeed, patience: float, left: list[str]) -> None:
        # While the first one closes, no use of the others may begin.
        self._hold(need, names)
        for name in names:
            loaded = self._models.get(name)
            if loaded is None:
                continue
            await self.close(name, patience)
            left.append(name)
            self._feed.note(_asleep(loaded, _MADE_ROOM))
            _log.info("unloaded %s to make room for %s", name, need.name)

    def _hold(self, need: ModelNeed, names: tuple[str, ...]) -> None:
        """Exactly these are held for `need` from now on."""
        self._held_for[need.name] = names
        if not names:
            del self._held_for[need.name]
        held = {name for each in self._held_for.values() for name in each}
        released = False
        for loaded in self._models.values():
            should_hold = loaded.spec.name in held
            released |= loaded.is_held and not should_hold
            loaded.is_held = should_hold
        if released:
            self.wake()

    def _residents(self) -> list[Resident]:
        residents = [loaded.resident for loaded in self._models.values() if loaded.engine.is_alive]
        closing = [replace(loaded.resident, is_used=True, is_pinned=True) for loaded in self._closing]
        return [*residents, *closing, *self._coming.values()]

    def _booked(self) -> MemoryUse:
        return sum((resident.memory for resident in self._residents()), MemoryUse())

    async def _limits(self, kind: ModelKind) -> MemoryLimits:
        if not self._is_bounded(kind):
            return MemoryLimits(self._settings.models_max)
        return await asyncio.to_thread(self._gauge.limits, self._booked())

    async def _weigh(self, kind: ModelKind) -> None:
        if self._is_bounded(kind):
            await asyncio.gather(*map(self._measure, list(self._models.values())))

    async def _measure(self, loaded: LoadedModel, growth: int = 0) -> None:
        """What the process takes now, and after a load the `growth` that is still to come; the most it ever took is what
        it will need the next time."""
        if loaded.pid is None:
            return
        taken = await asyncio.to_thread(self._gauge.taken, loaded.pid)
        if taken:
            loaded.least_host = taken + growth if growth else loaded.least_host
            host = max(taken, loaded.least_host)
            loaded.memory = MemoryUse(host=host, gpu=loaded.memory.gpu, untaken=host - taken)
            # Taken out and put in again: the dictionary stays in order of use.
            before = self._needs.pop(loaded.spec, MemoryUse())
            self._needs[loaded.spec] = MemoryUse(host=max(host, before.host), gpu=loaded.memory.gpu)
            if len(self._needs) > _REMEMBERED:
                del self._needs[next(iter(self._needs))]


def _asleep(loaded: LoadedModel, message: str) -> ModelState:
    return ModelState(name=loaded.spec.name, card=loaded.engine.card, message=message, kind=loaded.spec.kind)


def _no_room(need: ModelNeed, refused: NeverFits) -> NoRoom:
    numbers = f"it needs about {shown_bytes(refused.needs)}, and there is {shown_bytes(refused.there_is)} for it"
    if refused.shortage is Shortage.PINNED:
        pinned = ", ".join(refused.pinned)
        reason = f": {numbers}" if refused.needs > refused.there_is > 0 else ""
        return NoRoom(
            f"There is no room for {need.name} beside the pinned models ({pinned}){reason}. Unload one of them, or raise "
            "--models-max or --models-memory.",
            param="model",
        )
    return NoRoom(
        f"There is not enough {refused.shortage} for {need.name}: {numbers}. Load it with a smaller ctx_size or another "
        "cache_type, or raise --models-memory.",
        param="model",
    )
