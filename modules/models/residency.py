"""Which models may be in memory at once: what to unload, what to wait for, what to refuse. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from modules.engine.types import ModelKind


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Bytes in main memory and on graphics cards. `untaken` of `host` are still free: the model will take them as it is
    used."""

    host: int = 0
    gpu: int = 0
    untaken: int = 0

    def __add__(self, other: "MemoryUse") -> "MemoryUse":
        return MemoryUse(self.host + other.host, self.gpu + other.gpu, self.untaken + other.untaken)


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """`models` counts chat models only. `host` and `gpu` are bytes for all models together; None sets no bound."""

    models: int
    host: int | None = None
    gpu: int | None = None


@dataclass(frozen=True, slots=True)
class Resident:
    """A model in memory. `last_used` orders models by the end of their last reply; `is_used` while one is under way."""

    name: str
    kind: ModelKind = ModelKind.CHAT
    memory: MemoryUse = MemoryUse()
    last_used: float = 0.0
    is_used: bool = False
    is_pinned: bool = False


@dataclass(frozen=True, slots=True)
class ModelNeed:
    """A model that is to be loaded. A resident of the same name is replaced by it."""

    name: str
    kind: ModelKind = ModelKind.CHAT
    memory: MemoryUse = MemoryUse()


class Shortage(StrEnum):
    HOST = "memory"
    GPU = "GPU memory"
    PINNED = "pinned"


@dataclass(frozen=True, slots=True)
class Fits:
    """It can be loaded once `evict`, none of which is in use, are unloaded."""

    evict: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MustWait:
    """Some of `hold` are in use. As soon as none of them is, there is room: no new use of them may begin."""

    hold: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NeverFits:
    """However long it waits, there will be no room. `needs` and `there_is` are bytes; for PINNED, `pinned` are in the
    way."""

    shortage: Shortage
    needs: int = 0
    there_is: int = 0
    pinned: tuple[str, ...] = ()


Decision: TypeAlias = Fits | MustWait | NeverFits


def plan(residents: Sequence[Resident], need: ModelNeed, limits: MemoryLimits, held: Collection[str] = ()) -> Decision:
    """How there will be room for `need`.

    Least recently used models leave first, those that are in use last and pinned ones never. No more leave than have
    to. `held` names models that already wait for their last reply: what was held stays held, so that a plan which is
    made again after each change comes to an end.
    """
    replaced = [resident for resident in residents if resident.name == need.name]
    others = [resident for resident in residents if resident.name != need.name]
    if refusal := _refusal(others, need, limits):
        return refusal
    movable = sorted((each for each in others if not each.is_pinned), key=lambda each: _order(each, held))
    leaving = _fewest(movable, others, need, limits)
    gone = [*replaced, *leaving]
    names = tuple(resident.name for resident in gone)
    return MustWait(names) if any(resident.is_used for resident in gone) else Fits(names)


def excess(residents: Sequence[Resident], limits: MemoryLimits) -> tuple[str, ...]:
    """What to unload now because models have grown beyond the limits; nothing that is pinned or in use, and never the
    only model."""
    movable = sorted((each for each in residents if not each.is_pinned), key=lambda each: _order(each, ()))
    kept, leaving = list(residents), []
    for resident in movable:
        # A lone model that has outgrown the budget still answers; unloading it would only load it again.
        if _is_within(kept, limits) or len(kept) == 1:
            break
        kept.remove(resident)
        leaving.append(resident)
    return tuple(resident.name for resident in leaving if not resident.is_used)


def _order(resident: Resident, held: Collection[str]) -> tuple[bool, bool, float]:
    # Idle ones first: they can leave at once. Of those in use, the ones that already wait for their last reply.
    return resident.is_used, resident.name not in held, resident.last_used


def _refusal(others: Sequence[Resident], need: ModelNeed, limits: MemoryLimits) -> NeverFits | None:
    alone = need.memory
    if limits.host is not None and alone.host > limits.host:
        return NeverFits(Shortage.HOST, alone.host, limits.host)
    if limits.gpu is not None and alone.gpu > limits.gpu:
        return NeverFits(Shortage.GPU, alone.gpu, limits.gpu)
    pinned = [resident for resident in others if resident.is_pinned]
    if _has_room(pinned, need, limits):
        return None
    left = (limits.host or 0) - _total(pinned).host
    return NeverFits(Shortage.PINNED, alone.host, max(0, left), tuple(resident.name for resident in pinned))


def _fewest(
    movable: Sequence[Resident], others: Sequence[Resident], need: ModelNeed, limits: MemoryLimits
) -> list[Resident]:
    """In the order of `movable` until there is room; then those stay that need not leave, the last ones first."""
    staying, leaving = list(others), []
    for resident in movable:
        if _has_room(staying, need, limits):
            break
        staying.remove(resident)
        leaving.append(resident)
    # A large model that left late may have made the room of several small ones.
    for resident in reversed(tuple(leaving)):
        if _has_room([*staying, resident], need, limits):
            staying.append(resident)
            leaving.remove(resident)
    return leaving


def _has_room(staying: Sequence[Resident], need: ModelNeed, limits: MemoryLimits) -> bool:
    return _is_within([*staying, Resident(need.name, need.kind, need.memory)], limits)


def _is_within(residents: Iterable[Resident], limits: MemoryLimits) -> bool:
    residents = tuple(residents)
    total = _total(residents)
    return (
        sum(resident.kind is ModelKind.CHAT for resident in residents) <= limits.models
        and (limits.host is None or total.host <= limits.host)
        and (limits.gpu is None or total.gpu <= limits.gpu)
    )


def _total(residents: Iterable[Resident]) -> MemoryUse:
    return sum((resident.memory for resident in residents), MemoryUse())
