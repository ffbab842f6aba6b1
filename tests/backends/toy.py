"""A backend in few lines, which a test adds to those that ship: models are files that end in .toy."""

from pathlib import Path
from typing import ClassVar, Literal

from typing_extensions import override

from modules.backends.base import BackendSpec, MemoryEstimate, read_options
from modules.backends.registry import BACKENDS, Backends
from modules.backends.scripted.backend import ScriptedBackend, ScriptedLoader
from modules.engine import worker
from modules.engine.protocols import ReportProgress
from modules.engine.types import LoadSpec, ModelCard
from modules.errors import LoadFailed
from modules.settings.options import SettingsGroup, setting


class ToyOptions(SettingsGroup, frozen=True):
    title: ClassVar[str] = "Toy"

    toy_depth: int = setting(3, "How deep it plays.", ge=1, le=9, label="Depth of play", aliases=("depth",))
    toy_mood: Literal["calm", "wild"] = setting("calm", "How it plays.")


class Toy(BackendSpec):
    name: ClassVar[str] = "toy"
    implementation: ClassVar[str] = "tests.backends.toy:ToyLoader"
    spellings: ClassVar[tuple[str, ...]] = ("toybox",)
    options: ClassVar[type[SettingsGroup]] = ToyOptions
    format: ClassVar[str] = "TOY"
    endings: ClassVar[tuple[str, ...]] = (".toy",)

    @override
    def reads(self, path: Path) -> bool:
        return path.suffix == ".toy"

    @override
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        size = read_options(ToyOptions, spec).toy_depth * 2**20
        return MemoryEstimate(host=size, parts=(("toys", size),))


class ToyLoader(ScriptedLoader):
    @override
    def probe(self, spec: LoadSpec) -> ModelCard:
        if read_options(ToyOptions, spec).toy_mood == "wild":
            raise LoadFailed(f"{spec.name} is too wild. Choose --toy-mood calm.")
        return super().probe(spec)

    @override
    def load(self, spec: LoadSpec, report: ReportProgress) -> ScriptedBackend:
        return super().load(spec, report)


WITH_TOY = Backends((*BACKENDS, Toy()))

if __name__ == "__main__":
    worker.run(WITH_TOY.loader_for)
