"""The backends there are.

Settings, menus, the list of models, estimates and documentation are made from them.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from modules.backends.base import BackendSpec
from modules.backends.diffusers.spec import Diffusers
from modules.backends.exllamav3.spec import ExLlamaV3
from modules.backends.fasterwhisper.spec import FasterWhisper
from modules.backends.llamacpp.spec import LlamaCpp
from modules.backends.media import MediaBackendSpec
from modules.backends.onnx.judge_spec import OPEN_NSFW
from modules.backends.onnx.spec import Onnx
from modules.backends.onnx.speech.spec import OnnxSpeech
from modules.backends.scripted.image_spec import ScriptedPictures
from modules.backends.scripted.media_engines import ScriptedTranscription
from modules.backends.scripted.spec import Scripted
from modules.backends.sentence_transformers.spec import SentenceTransformers
from modules.backends.stable_diffusion_cpp.spec import StableDiffusionCpp
from modules.backends.transformers.spec import Transformers
from modules.engine.protocols import Loader, MediaLoader
from modules.engine.types import ModelKind
from modules.errors import LoadFailed
from modules.settings.options import SettingsGroup


class Backends:
    """Some backends, in order of preference where several read a file. A value: it never changes."""

    def __init__(self, specs: Sequence[BackendSpec]) -> None:
        self._specs = tuple(specs)

    def __iter__(self) -> Iterator[BackendSpec]:
        return iter(self._specs)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self._specs)

    @property
    def spellings(self) -> Mapping[str, str]:
        """Further names, in lower case, with the one that each means."""
        return {spelling.lower(): spec.name for spec in self._specs for spelling in spec.spellings}

    @property
    def formats(self) -> str:
        """What kinds of files are read, for messages: "GGUF", "GGUF or safetensors"."""
        *others, last = dict.fromkeys(spec.format for spec in self._specs if spec.format)
        return f"{', '.join(others)} or {last}" if others else last

    @property
    def endings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(ending for spec in self._specs for ending in spec.endings))

    def named(self, name: str) -> BackendSpec:
        """Raises LoadFailed for one that does not exist."""
        for spec in self._specs:
            if spec.name == name:
                return spec
        raise LoadFailed(f"There is no loader named {name!r}. Choose one of: {', '.join(self.names)}.")

    def reader_of(self, path: Path, options: SettingsGroup | None = None) -> BackendSpec:
        """The first that loads the model file or folder, if possible one that can do so with these `options`. Raises
        LoadFailed when none reads it."""
        readers = [spec for spec in self._specs if spec.reads(path)]
        for spec in readers:
            if options is None or spec.suits(options):
                return spec
        if readers:
            return readers[0]
        raise LoadFailed(f"No loader can read {path.name}. This version reads {self.formats} files.")

    def kind_of(self, path: Path) -> ModelKind:
        """What the model at `path` is for, as far as its file says so."""
        return next((spec.kind_of(path) for spec in self._specs if spec.reads(path)), ModelKind.CHAT)

    def is_whole_folder(self, path: Path) -> bool:
        """Whether the folder is one model of a media engine, so that nothing in it is a model of its own."""
        return any(isinstance(spec, MediaBackendSpec) and spec.reads(path) for spec in self._specs)

    @property
    def own_media(self) -> Mapping[str, MediaBackendSpec]:
        """The engine of each media model that needs no file, by the model's name."""
        return {
            spec.own_model: spec
            for spec in self._specs
            if isinstance(spec, MediaBackendSpec) and spec.own_model is not None
        }

    def can_use_gpu(self) -> bool:
        return any(spec.can_use_gpu() for spec in self._specs)

    def loader_for(self, name: str) -> Loader:
        """Imports the backend's library. Raises LoadFailed when there is no such backend, or its package is missing or
        broken."""
        spec = self.named(name)
        try:
            return spec.loader()
        except (ImportError, OSError, RuntimeError) as error:
            raise LoadFailed(
                f"The {name} loader cannot be used: {error}. Run `python3 one_click.py doctor` to see what is missing."
            ) from error

    def media_engine(self, name: str) -> MediaBackendSpec:
        """Raises LoadFailed when there is none of that name."""
        spec = self.named(name)
        if not isinstance(spec, MediaBackendSpec):
            raise LoadFailed(f"The {name} loader is for text.")
        return spec

    def media_loader_for(self, name: str) -> MediaLoader:
        """Imports the engine's library. Raises ImportError when a package is missing, LoadFailed when there is no such
        engine, or its library is broken."""
        try:
            return self.media_engine(name).media_loader()
        except (OSError, RuntimeError) as error:
            raise LoadFailed(f"The {name} loader cannot be used: {error}.") from error


BACKENDS: Final = Backends(
    (
        # Before the loader of text, whose files have the same ending: it takes those that hold an image model only.
        StableDiffusionCpp(),
        LlamaCpp(),
        Onnx(),
        SentenceTransformers(),
        ExLlamaV3(),
        Transformers(),
        FasterWhisper(),
        Diffusers(),
        OnnxSpeech(),
        Scripted(),
        ScriptedTranscription(),
        ScriptedPictures(),
    )
)
PICTURE_JUDGE: Final = OPEN_NSFW
