"""What the program knows of a backend before the backend's library is imported.

A backend is one `BackendSpec`, in a folder of its own, and one entry of the registry.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import ValidationError

from modules.engine.protocols import Loader
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import LoadFailed
from modules.paths import UserData
from modules.settings.options import SettingsGroup, options_of

_Options = TypeVar("_Options", bound=SettingsGroup)
_MAX_SHOWN = 40
_PROBE = 96 * 2**20


class NoOptions(SettingsGroup, frozen=True):
    """For backends that have none of their own."""

    title: ClassVar[str] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """Bytes of main memory and of each graphics card that a model will take. `parts` names what they are made of;
    `placement` says in words which of it is on the cards."""

    host: int
    gpus: tuple[int, ...] = ()
    parts: tuple[tuple[str, int], ...] = ()
    placement: str = ""

    @property
    def gpu(self) -> int:
        return sum(self.gpus)

    @property
    def total(self) -> int:
        return self.host + self.gpu


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTraits:
    """What a model's files say of it, as far as a list of models tells. 0 and None mean that it is not known."""

    trained_context: int = 0
    chat_template: str | None = None
    modalities: tuple[str, ...] = ("text",)


class BackendSpec(ABC):
    """What does not import the backend's library stands here. `implementation` is the class that does, a `Loader`, as
    "package.module:name".

    `spellings` are further names that users know, in any case. `options` is the group of settings that only this
    backend has: flags, settings.yaml keys, fields of the Model tab, `args` of loads and documentation are made from it.
    `format` names the files that it reads, in messages. `endings` are those of file names, which requests may leave out.
    `own_model` is the name of a model that it has without any file. `can_draft` says whether it uses draft models.
    `probe_bytes` is what the library and a look at a model's header and vocabulary take at most, in a process of its own.
    """

    name: ClassVar[str]
    implementation: ClassVar[str]
    spellings: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[type[SettingsGroup]] = NoOptions
    format: ClassVar[str] = ""
    endings: ClassVar[tuple[str, ...]] = ()
    own_model: ClassVar[str | None] = None
    can_draft: ClassVar[bool] = False
    probe_bytes: ClassVar[int] = _PROBE

    @abstractmethod
    def reads(self, path: Path) -> bool:
        """Whether the file or folder at `path` is a model that this backend loads, as far as its name tells."""

    def suits(self, options: SettingsGroup) -> bool:
        """Whether, as it is installed here, it can load a model as these settings say; where it cannot, another backend
        that reads the model is taken."""
        return True

    def reads_adapter(self, path: Path) -> bool:
        """Whether the file or folder at `path` is a LoRA adapter that this backend applies."""
        return False

    def kind_of(self, path: Path) -> ModelKind:
        """What the model at `path` is for. Reads the beginning of a file; what cannot be read counts as CHAT."""
        return ModelKind.CHAT

    def can_use_gpu(self) -> bool:
        """Whether it computes on graphics cards as it is installed here."""
        return False

    def completed(self, spec: LoadSpec, data: UserData, *, requested: Collection[str] = ()) -> LoadSpec:
        """`spec` with the files that its options name, and those that belong to its model, as absolute paths. Options that
        were `requested`, by name, come from a client: they name files of the model's folder and of `data` only. Reads
        beginnings of files. Raises LoadFailed."""
        return spec

    @abstractmethod
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        """What the model will take once it is loaded as `spec` says, where `gpus` are the free bytes of each graphics
        card (empty: they are not known). Blocks while a header is read. Raises LoadFailed."""

    def traits(self, spec: LoadSpec) -> ModelTraits:
        """For lists of what is on disk. Blocks while a header is read. Raises LoadFailed."""
        return ModelTraits()

    def fit(self, spec: LoadSpec, host: int, gpus: tuple[int, ...] = ()) -> tuple[LoadSpec, str]:
        """The model as it is to be loaded where so many bytes of main memory and of each graphics card are free, and
        what was chosen, in words: empty where nothing had to be. What an operator stated stays. Blocks while a header is
        read. Raises LoadFailed."""
        return spec, ""

    def loader(self) -> Loader:
        """Imports the library. May raise ImportError, OSError and RuntimeError when it is missing or broken."""
        module, _, name = self.implementation.partition(":")
        made: Loader = getattr(import_module(module), name)()
        return made


def read_options(group: type[_Options], spec: LoadSpec) -> _Options:
    """The backend's options in `spec`, typed; those that are left out have their defaults. Raises LoadFailed."""
    try:
        return group.model_validate(dict(spec.options))
    except ValidationError as failure:
        error = failure.errors()[0]
        name = str(error["loc"][0])
        raise LoadFailed(f"{spec.name} cannot be loaded like this: {_complaint(group, name, spec)}") from None


def _complaint(group: type[SettingsGroup], name: str, spec: LoadSpec) -> str:
    option = next((each for each in options_of(group) if each.name == name), None)
    if option is None:
        return f"{name[:_MAX_SHOWN]} is no option of the {spec.loader} loader."
    shown = ascii(spec.options[name])[:_MAX_SHOWN]
    if option.choices:
        return f"{option.flag} {shown} is unknown. Choose one of: {', '.join(option.choices)}."
    return f"{option.flag} {shown} is not allowed; it must be {option.allowed}."
