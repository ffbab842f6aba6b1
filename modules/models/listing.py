"""Chat models as lists show them: what each is, how large, and whether it fits."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from modules.backends.base import MemoryEstimate
from modules.engine.types import LoadSpec, ModelCard, ModelKind
from modules.errors import ServiceError
from modules.models.catalog import Catalog
from modules.models.downloads.hub_name import quantization_of, title_of
from modules.models.gauge import Room, room_now
from modules.models.options import LoadOptions
from modules.models.pool import ModelPool
from modules.models.roster import requested_spec
from modules.settings.values import Settings

_REMEMBERED: Final = 512
_COARSE: Final = 2**28


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskModel:
    """A chat model that can be loaded by `name`. `size` is of its files and `needs` what it takes, in bytes; `lacks` is how
    much more it takes than there is for it when nothing else is loaded. `context` is what it would be loaded with, as
    far as that is known. `problem` says why it cannot be loaded."""

    name: str
    title: str
    quantization: str = ""
    size: int = 0
    context: int = 0
    trained_context: int = 0
    abilities: tuple[str, ...] = ()
    needs: int = 0
    lacks: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LoadPreview:
    """How a model would be loaded with some options."""

    spec: LoadSpec
    estimate: MemoryEstimate
    context: int
    lacks: int


class ModelListing:
    """Every method blocks: headers are read, the driver of graphics cards is asked. Call them on a thread."""

    def __init__(self, settings: Settings, pool: ModelPool, catalog: Catalog) -> None:
        self._settings = settings
        self._pool = pool
        self._catalog = catalog
        self._backends = settings.backends
        self._read = lru_cache(maxsize=_REMEMBERED)(self._read_model)
        self._placed = lru_cache(maxsize=_REMEMBERED)(self._preview)

    def models(self) -> tuple[DiskModel, ...]:
        names = [name for name in self._pool.list_models() if self._pool.kind_of(name) is ModelKind.CHAT]
        room = self.room()
        # Every estimate reads a header, so that small changes of what is free do not count.
        coarse = replace(room, host_free=room.host_free // _COARSE * _COARSE)
        return tuple(self._described(name, coarse) for name in names)

    def room(self) -> Room:
        """What there is for a model when the loaded ones leave."""
        room = room_now()
        held = sum(state.memory for state in self._pool.models)
        freed = min(room.host_total, room.host_free + held)
        gpus = tuple(replace(card, free=card.total) for card in room.gpus)
        return Room(freed, room.host_total, gpus)

    def preview(self, name: str, options: LoadOptions) -> LoadPreview:
        """Raises NotFound, BadRequest, LoadFailed."""
        return self._preview(requested_spec(self._catalog, self._settings, name, options), self.room(), (0, 0))

    def _described(self, name: str, room: Room) -> DiskModel:
        try:
            spec = requested_spec(self._catalog, self._settings, name, LoadOptions())
            stamp = _stamp(spec.path)
            found, preview = self._read(spec, stamp), self._placed(spec, room, stamp)
        except ServiceError as error:
            return DiskModel(name=name, title=title_of(name), problem=error.message)
        return replace(
            found,
            context=preview.context or found.trained_context,
            needs=preview.estimate.total,
            lacks=preview.lacks,
        )

    def _read_model(self, spec: LoadSpec, _stamp: tuple[int, int]) -> DiskModel:
        traits = self._backends.named(spec.loader).traits(spec)
        # As it would be, as far as lists tell.
        card = ModelCard(
            name=spec.name,
            loader=spec.loader,
            context=0,
            vocabulary=0,
            chat_template=traits.chat_template,
            modalities=traits.modalities,
        )
        return DiskModel(
            name=spec.name,
            title=title_of(spec.name),
            quantization=quantization_of(spec.name) or "",
            size=_size_of(Path(spec.path)) if spec.path else 0,
            trained_context=traits.trained_context,
            abilities=card.capabilities,
        )

    def _preview(self, spec: LoadSpec, room: Room, _stamp: tuple[int, int]) -> LoadPreview:
        backend = self._backends.named(spec.loader)
        free = tuple(card.free for card in room.gpus) if backend.can_use_gpu() else ()
        fitted, _ = backend.fit(spec, room.host_free, free)
        estimate = backend.estimate(fitted, free)
        return LoadPreview(fitted, estimate, fitted.context, _lacking(estimate, room, free))


def _lacking(estimate: MemoryEstimate, room: Room, gpus: Sequence[int]) -> int:
    host = max(0, estimate.host - room.host_free)
    return host + (max(0, estimate.gpu - sum(gpus)) if gpus else 0)


def _size_of(path: Path) -> int:
    """Of all files of the model: parts of one have the same beginning of their names."""
    if path.is_dir():
        return sum(entry.stat().st_size for entry in os.scandir(path) if entry.is_file())
    head, mark, _ = path.name.rpartition("-00001-of-")
    parts = path.parent.glob(f"{head}-*-of-*") if mark else (path,)
    return sum(part.stat().st_size for part in parts)


def _stamp(path: str) -> tuple[int, int]:
    """Another one when the file has changed."""
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
