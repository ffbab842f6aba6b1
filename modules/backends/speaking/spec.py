"""What the program knows of a backend that speaks before its library is imported."""

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from modules.backends.media import MediaBackendSpec
from modules.engine.types import LoadSpec, ModelKind


@dataclass(frozen=True, slots=True)
class Voices:
    """`names` of one model, the one that speaks where none is asked for first. With `can_mix` several may be mixed.
    `family` is what clients call models of that make."""

    names: tuple[str, ...]
    family: str
    can_mix: bool = False


class SpeechBackendSpec(MediaBackendSpec):
    """Its questions are those of `questions`: `Say`, answered with `SoundPiece`."""

    kind: ClassVar[ModelKind] = ModelKind.SPEECH

    @abstractmethod
    def voices(self, path: Path) -> Voices:
        """Of the model at `path`. Blocks while small files are read. Raises LoadFailed."""

    def voices_of(self, spec: LoadSpec) -> Voices:
        return self.voices(Path(spec.path))
