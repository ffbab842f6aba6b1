"""The Transformers backend: folders of text models, on CPUs and graphics cards."""

from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Final

from typing_extensions import override

from modules.backends.base import BackendSpec, MemoryEstimate, ModelTraits, read_options
from modules.backends.cores import usable_cores
from modules.backends.hub_folder import CONFIG, ModelFolder
from modules.backends.model_templates import template_beside
from modules.backends.pytorch import PROBE_BYTES, prepare_pytorch
from modules.backends.transformers.estimate import estimate
from modules.backends.transformers.options import TransformersOptions
from modules.engine.protocols import Loader
from modules.engine.types import LoadSpec
from modules.errors import LoadFailed
from modules.settings.options import SettingsGroup

# Of sentence-transformers: the architecture writes text, the model was trained to embed it.
_EMBEDS: Final = "modules.json"
_ADAPTER_MARK: Final = "adapter_config.json"
# Its weights are of no use without its own kernels.
_OTHERS: Final = frozenset(("exl3",))


class Transformers(BackendSpec):
    name: ClassVar[str] = "Transformers"
    probe_bytes: ClassVar[int] = PROBE_BYTES
    implementation: ClassVar[str] = "modules.backends.transformers.loader:TransformersLoader"
    options: ClassVar[type[SettingsGroup]] = TransformersOptions
    format: ClassVar[str] = "safetensors"

    @override
    def reads(self, path: Path) -> bool:
        """Folders whose architecture writes text. The weights have to be safetensors: pickles can run any code."""
        if not (path / CONFIG).is_file() or (path / _EMBEDS).is_file():
            return False
        try:
            folder = ModelFolder.read(path)
        except LoadFailed:
            return False
        return folder.writes_text and folder.has_safetensors and folder.quantization not in _OTHERS

    @override
    def reads_adapter(self, path: Path) -> bool:
        return (path / _ADAPTER_MARK).is_file()

    @override
    def can_use_gpu(self) -> bool:
        """Without importing PyTorch: its builds with CUDA have packages of NVIDIA's beside them."""
        return find_spec("nvidia") is not None and find_spec("torch") is not None

    @override
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        options = read_options(TransformersOptions, spec)
        return estimate(ModelFolder.read(Path(spec.path)), spec, options, gpus if self.can_use_gpu() else ())

    @override
    def traits(self, spec: LoadSpec) -> ModelTraits:
        folder = ModelFolder.read(Path(spec.path))
        return ModelTraits(trained_context=folder.trained_context, chat_template=template_beside(folder.path))

    @override
    def loader(self) -> Loader:
        if find_spec("torch") is None or find_spec("transformers") is None:
            raise LoadFailed(
                "The Transformers loader needs PyTorch and Transformers, which are not installed. Install them with "
                "`python3 one_click.py install --set full`."
            )
        prepare_pytorch(usable_cores())
        return super().loader()
