"""ExLlamaV3: folders in the EXL3 format, on NVIDIA cards."""

from pathlib import Path
from typing import ClassVar, Final

from typing_extensions import override

from modules.backends.base import BackendSpec, MemoryEstimate, ModelTraits, read_options
from modules.backends.cores import usable_cores
from modules.backends.exllamav3.estimate import estimate
from modules.backends.exllamav3.options import ExLlamaV3Options
from modules.backends.exllamav3.refusals import missing
from modules.backends.hub_folder import CONFIG, ModelFolder
from modules.backends.model_templates import template_beside
from modules.backends.pytorch import PROBE_BYTES, prepare_pytorch
from modules.engine.protocols import Loader
from modules.engine.types import LoadSpec
from modules.errors import LoadFailed
from modules.settings.options import SettingsGroup

_FORMAT: Final = "exl3"
_ADAPTER_MARK: Final = "adapter_config.json"
_VISION: Final = "vision_config"


class ExLlamaV3(BackendSpec):
    # text-generation-webui's spelling.
    name: ClassVar[str] = "ExLlamav3"
    probe_bytes: ClassVar[int] = PROBE_BYTES
    implementation: ClassVar[str] = "modules.backends.exllamav3.loader:ExLlamaV3Loader"
    spellings: ClassVar[tuple[str, ...]] = ("exllama", "exllamav3_hf")
    options: ClassVar[type[SettingsGroup]] = ExLlamaV3Options
    format: ClassVar[str] = "EXL3"
    can_draft: ClassVar[bool] = True

    @override
    def reads(self, path: Path) -> bool:
        if not (path / CONFIG).is_file():
            return False
        try:
            folder = ModelFolder.read(path)
        except LoadFailed:
            return False
        return folder.quantization == _FORMAT and folder.has_safetensors

    @override
    def reads_adapter(self, path: Path) -> bool:
        return (path / _ADAPTER_MARK).is_file()

    @override
    def can_use_gpu(self) -> bool:
        return not missing()

    @override
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        return estimate(ModelFolder.read(Path(spec.path)), spec, read_options(ExLlamaV3Options, spec), gpus)

    @override
    def traits(self, spec: LoadSpec) -> ModelTraits:
        folder = ModelFolder.read(Path(spec.path))
        sees = bool(folder.config.get(_VISION)) and read_options(ExLlamaV3Options, spec).vision
        return ModelTraits(
            trained_context=folder.trained_context,
            chat_template=template_beside(folder.path),
            modalities=("text", "image") if sees else ("text",),
        )

    @override
    def loader(self) -> Loader:
        if lacks := missing():
            raise LoadFailed(f"The ExLlamav3 loader cannot be used: {lacks}")
        prepare_pytorch(usable_cores())
        return super().loader()
