"""What models and LoRA adapters are on disk, and which file a name means."""

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from modules.backends.base import BackendSpec
from modules.backends.registry import BACKENDS, Backends
from modules.engine.types import Adapter, ModelKind
from modules.errors import BadRequest, LoadFailed, NotFound
from modules.models.hub_cache import cached_model, hub_cache_folder
from modules.paths import UserData
from modules.requests import AdapterChoice
from modules.settings.options import did_you_mean

_FOLDER_MARK: Final = "config.json"
# File systems keep times in steps of up to two seconds (FAT): a change within one does not show in them.
_HIDDEN_NANOSECONDS: Final = 2 * 10**9
_ENCODERS: Final = frozenset((ModelKind.EMBEDDING, ModelKind.RERANK, ModelKind.MODERATION))
_NOTHING: Final[Mapping[Path, frozenset[ModelKind]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ListedModel:
    """`name` as the list has it; `path` is absolute."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class _Listing:
    """What was found at `seen`, in nanoseconds since 1970, and when each folder had been changed last by then."""

    paths: Mapping[str, Path]
    changed: Mapping[str, int]
    seen: int

    def is_current(self) -> bool:
        """Whether no folder has been changed since. A change right before the look may hide one right after it."""
        try:
            return all(
                os.stat(folder).st_mtime_ns == changed < self.seen - _HIDDEN_NANOSECONDS
                for folder, changed in self.changed.items()
            )
        except OSError:
            return False


class Catalog:
    """The models under `folder`, and those of some kinds in `further` folders. Encoders are found in the `hub_cache` too, by
    their whole name, but not listed.

    A file that was just put there is found: what was read before counts for as long as no folder has changed. Every method
    reads the disk; they may be called from any thread.
    """

    def __init__(
        self,
        folder: Path,
        backends: Backends = BACKENDS,
        further: Mapping[Path, frozenset[ModelKind]] = _NOTHING,
        hub_cache: Path | None = None,
    ) -> None:
        self._folder = folder
        self._kinds = further
        self._folders = (folder, *further)
        self._hub_cache = hub_cache
        self._backends = backends
        # Never current, so that the first question reads the folder.
        self._listing = _Listing({}, {str(folder): -1}, 0)

    def names(self) -> list[str]:
        """What some loader reads, files and folders, by their path below the folder and in natural order."""
        return list(self._current().paths)

    def find(self, name: str) -> ListedModel:
        """The listed model of that name; the ending of a file may be left out. Raises LoadFailed for a model in a format that no
        loader reads, NotFound for everything else.

        Only what was found by walking the folder is ever returned, so a name cannot lead out of it. A link that the
        operator put there counts as what it links to.
        """
        paths = self._current().paths
        for candidate in self._spellings(name):
            if candidate in paths:
                return ListedModel(candidate, paths[candidate].absolute())
        if (cached := self._cached(name)) is not None:
            return ListedModel(name.replace("/", "_"), cached.absolute())
        if name in self._folder_names():
            formats = self._backends.formats
            raise LoadFailed(f"No loader can read {_shown(name)}. This version reads {formats} files.", param="model")
        raise NotFound(
            f"There is no model named {_shown(name)} in the model folder{did_you_mean(name[:200], list(paths))}.",
            param="model",
        )

    def path_of(self, name: str) -> Path:
        """Where the listed model of exactly that name is."""
        return self._listing.paths.get(name, self._folder / name).absolute()

    def may_have(self, name: str) -> bool:
        """False where `find` would not find it: cheaper than going through the folder."""
        try:
            is_here = any((folder / each).exists() for folder in self._folders for each in self._spellings(name))
            return is_here or self._cached(name) is not None
        except (OSError, ValueError):
            return False

    def _cached(self, name: str) -> Path | None:
        path = cached_model(self._hub_cache, name) if self._hub_cache is not None else None
        return path if path is not None and self._backends.kind_of(path) in _ENCODERS else None

    def _current(self) -> _Listing:
        if not self._listing.is_current():
            self._listing = self._read()
        return self._listing

    def _read(self) -> _Listing:
        # Taken before the walk: what changes during it makes the listing outdated.
        seen = time.time_ns()
        found: dict[str, Path] = {}
        changed = {str(folder): _changed(folder) for folder in self._folders}
        for root in reversed(self._folders):
            walked = list(self._walk(root))
            changed |= {str(folder): _changed(folder) for folder, _ in walked}
            found |= {path.relative_to(root).as_posix(): path for path in self._readable(root, walked)}
        return _Listing({name: found[name] for name in sorted(found, key=_natural_key)}, changed, seen)

    def _spellings(self, name: str) -> tuple[str, ...]:
        """Under which names it may be listed."""
        return (name, *(name + ending for ending in self._backends.endings))

    def _readable(self, root: Path, walked: Iterable[tuple[Path, list[str]]]) -> Iterator[Path]:
        for folder, files in walked:
            places = [folder / file for file in files]
            if folder != root:
                places.append(folder)
            for path in places:
                if any(backend.reads(path) for backend in self._backends) and self._belongs(root, path):
                    yield path

    def _belongs(self, root: Path, path: Path) -> bool:
        return root == self._folder or self._backends.kind_of(path) in self._kinds[root]

    def _folder_names(self) -> Iterator[str]:
        """Models in a format that no loader here reads."""
        for folder, files in self._walk(self._folder):
            if folder.parent == self._folder and _FOLDER_MARK in files:
                yield folder.name

    def _walk(self, root: Path) -> Iterator[tuple[Path, list[str]]]:
        """Follows links to folders, each folder once, so that a ring of links ends. Of a folder that is one model as a
        whole, without what lies in it."""
        seen: set[str] = set()
        for place, folders, files in os.walk(root, followlinks=True):
            real = os.path.realpath(place)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            if Path(place) != root and self._backends.is_whole_folder(Path(place)):
                folders.clear()
                files.clear()
            # In place, which os.walk documents as the way to skip folders. Unfinished downloads are in one.
            folders[:] = [name for name in folders if not name.startswith(".")]
            yield Path(place), [name for name in files if not name.startswith(".")]


def _changed(folder: Path) -> int:
    """-1 for a folder that is gone."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return -1


def _natural_key(name: str) -> list[tuple[int, int, str]]:
    """Numbers in a name count as numbers: model-9 stands before model-10."""
    parts = re.split(r"(\d+)", name.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _shown(name: str) -> str:
    return ascii(name if len(name) <= 80 else name[:80] + "…")


def model_catalog(data: UserData, backends: Backends) -> Catalog:
    """Of all folders for models."""
    further = {data.image_models: frozenset((ModelKind.IMAGE,)), data.embeddings: _ENCODERS}
    return Catalog(data.models, backends, further, hub_cache_folder())


_ADAPTER_FOLDER_MARK: Final = "adapter_config.json"


@dataclass(frozen=True, slots=True)
class AdapterCatalog:
    """The adapters in `folder`: what a loader applies, and folders in PEFT's format. It is read anew each time."""

    folder: Path
    backends: Backends = BACKENDS

    def names(self) -> list[str]:
        return sorted(self._names(), key=str.lower)

    def find(self, name: str) -> Adapter:
        """The listed adapter of that name; the ending of a file may be left out. Raises NotFound for everything else."""
        names = self.names()
        for candidate in (name, *(name + ending for ending in self.backends.endings)):
            if candidate in names:
                return Adapter(name=candidate, path=str((self.folder / candidate).absolute()))
        raise NotFound(
            f"There is no adapter named {name[:80]!a} in the folder of the adapters{did_you_mean(name[:200], names)}.",
            param="lora_names",
        )

    def chosen(self, choices: Sequence[AdapterChoice], backend: BackendSpec) -> tuple[Adapter, ...]:
        """Raises NotFound, and BadRequest for one in a format that `backend` does not apply."""
        found = []
        for choice in choices:
            try:
                adapter = self.find(choice.name)
            except NotFound as error:
                raise NotFound(error.message, param="lora") from error
            if not backend.reads_adapter(Path(adapter.path)):
                raise BadRequest(
                    f"The adapter {adapter.name[:80]!a} is in a format that the {backend.name} loader does not apply.",
                    param="lora",
                )
            found.append(replace(adapter, scale=choice.scale))
        return tuple(found)

    def _names(self) -> Iterator[str]:
        if not self.folder.is_dir():
            return
        with os.scandir(self.folder) as entries:
            for entry in entries:
                path = Path(entry)
                is_read = any(backend.reads_adapter(path) for backend in self.backends)
                if not entry.name.startswith(".") and (is_read or (path / _ADAPTER_FOLDER_MARK).is_file()):
                    yield entry.name
