"""The scripted backend's image model: for demonstrations and tests."""

from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from modules.backends.base import MemoryEstimate
from modules.backends.media import MediaBackendSpec
from modules.engine.types import LoadSpec, ModelKind

_PROGRAM = 120 * 2**20


class ScriptedPictures(MediaBackendSpec):
    name: ClassVar[str] = "scripted-images"
    kind: ClassVar[ModelKind] = ModelKind.IMAGE
    implementation: ClassVar[str] = "modules.backends.scripted.images:ScriptedImageLoader"
    own_model: ClassVar[str | None] = "scripted-images"

    @override
    def reads(self, path: Path) -> bool:
        return False

    @override
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        return MemoryEstimate(host=_PROGRAM, parts=(("program", _PROGRAM),))
