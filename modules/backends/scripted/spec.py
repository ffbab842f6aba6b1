"""The scripted backend, which needs no model: for demonstrations and tests."""

from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from modules.backends.base import BackendSpec, MemoryEstimate
from modules.backends.scripted.options import ScriptedOptions
from modules.engine.types import LoadSpec
from modules.settings.options import SettingsGroup


class Scripted(BackendSpec):
    name: ClassVar[str] = "scripted"
    implementation: ClassVar[str] = "modules.backends.scripted.backend:ScriptedLoader"
    options: ClassVar[type[SettingsGroup]] = ScriptedOptions
    own_model: ClassVar[str | None] = "scripted"

    @override
    def reads(self, path: Path) -> bool:
        return False

    @override
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        return MemoryEstimate(host=0)
