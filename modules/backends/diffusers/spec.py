"""The diffusers backend: folders of pipelines that make pictures, on PyTorch."""

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ClassVar, Final

import psutil
from typing_extensions import override

from modules.backends.base import MemoryEstimate, read_options
from modules.backends.diffusers.folder import PipelineFolder, is_pipeline_folder, read_pipeline_folder
from modules.backends.diffusers.options import DiffusersOptions
from modules.backends.media import MediaBackendSpec
from modules.engine.types import LoadSpec, ModelKind
from modules.settings.options import SettingsGroup

# Measured: Python with PyTorch and the libraries.
_PROGRAM: Final = 600 * 2**20
# What a picture of a million pixels computes with beside the weights, and less for smaller ones.
_COMPUTING: Final = 2 * 2**30
_MEGAPIXEL: Final = 2**20
_QUANT_SHARES: Final = {
    "bnb-8bit": 0.5,
    "bnb-4bit": 0.3,
    "torchao-int8wo": 0.5,
    "torchao-fp4": 0.3,
    "torchao-float8wo": 0.5,
}
_CPU_BUILD: Final = "+cpu"


class Diffusers(MediaBackendSpec):
    name: ClassVar[str] = "diffusers"
    kind: ClassVar[ModelKind] = ModelKind.IMAGE
    fetch_words: ClassVar[str] = "image sd-turbo"
    implementation: ClassVar[str] = "modules.backends.diffusers.loader:DiffusersLoader"
    options: ClassVar[type[SettingsGroup]] = DiffusersOptions
    format: ClassVar[str] = "diffusers"

    @override
    def reads(self, path: Path) -> bool:
        return is_pipeline_folder(path)

    @override
    def can_use_gpu(self) -> bool:
        try:
            return sys.platform != "darwin" and not version("torch").endswith(_CPU_BUILD)
        except PackageNotFoundError:
            return False

    @override
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        folder = read_pipeline_folder(Path(spec.path))
        options = read_options(DiffusersOptions, spec)
        on_card = bool(gpus) and self.can_use_gpu() and options.image_device.lower() not in {"cpu", "mps"}
        is_full = options.image_dtype == "float32" or (
            options.image_dtype == "auto" and not on_card and is_float32(folder)
        )
        weights = int(folder.bytes_in(full=is_full) * _QUANT_SHARES.get(options.image_quant, 1.0))
        computing = int(_COMPUTING * min(1.0, folder.side**2 / _MEGAPIXEL))
        parts = (("weights", weights), ("buffers", computing), ("program", _PROGRAM))
        if not on_card:
            return MemoryEstimate(host=weights + computing + _PROGRAM, parts=parts)
        if options.image_cpu_offload or options.image_sequential_offload:
            share = folder.largest if options.image_cpu_offload else folder.largest // 16
            return MemoryEstimate(host=weights + _PROGRAM, gpus=(share + computing,), parts=parts)
        return MemoryEstimate(host=_PROGRAM, gpus=(weights + computing,), parts=parts)


def is_float32(folder: PipelineFolder) -> bool:
    """Whether weights of 16 bits are computed with 32 on the processor, which is faster and takes twice the memory."""
    return not folder.is_half or folder.bytes_in(full=True) < psutil.virtual_memory().total // 2
