"""Media models that need no file, for demonstrations and tests: what the program knows of them."""

from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from modules.backends.base import MemoryEstimate
from modules.backends.media import MediaBackendSpec
from modules.engine.types import LoadSpec, ModelKind

_MEMORY = 60 * 2**20


class ScriptedTranscription(MediaBackendSpec):
    name: ClassVar[str] = "scripted-transcription"
    kind: ClassVar[ModelKind] = ModelKind.TRANSCRIPTION
    implementation: ClassVar[str] = "modules.backends.scripted.transcription:ScriptedTranscriptionLoader"
    own_model: ClassVar[str | None] = "scripted-transcription"

    @override
    def reads(self, path: Path) -> bool:
        return False

    @override
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        return MemoryEstimate(host=_MEMORY)
