"""The stable-diffusion.cpp backend: pictures without PyTorch."""

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ClassVar, Final

from typing_extensions import override

from modules.backends.base import MemoryEstimate, read_options
from modules.backends.media import MediaBackendSpec
from modules.backends.stable_diffusion_cpp.files import ENDINGS, is_image_model, read_image_model
from modules.backends.stable_diffusion_cpp.options import StableDiffusionCppOptions
from modules.engine.types import LoadSpec, ModelKind
from modules.process.spec import ProcessSpec
from modules.settings.options import SettingsGroup

# Measured: Python with the library.
_PROGRAM: Final = 90 * 2**20
# Measured with weights of 16 bits: embeddings, norms and what convolutions read are widened.
_WIDENED: Final = 1.4
_BYTES: Final = {"f32": 4.0, "f16": 2.0, "q8_0": 1.07, "q5_1": 0.75, "q5_0": 0.69, "q4_1": 0.63, "q4_0": 0.57}
# Measured: the decoder, for each pixel, and for a picture in tiles; and about what a step computes with for a pixel.
_DECODING: Final = 6656
_TILES: Final = 450 * 2**20
_STEPPING: Final = 2560
# Above it "auto" decodes in tiles.
UNTILED_PIXELS: Final = 768 * 768
# What computes on graphics cards is installed by a package of another name.
_CARD_PACKAGES: Final = ("cyllama-cuda12", "cyllama-vulkan", "cyllama-rocm", "cyllama-sycl")

# The last versions for Python 3.11.
_WITHOUT_CANCEL: Final = "0.2."


class StableDiffusionCpp(MediaBackendSpec):
    name: ClassVar[str] = "stable-diffusion.cpp"
    kind: ClassVar[ModelKind] = ModelKind.IMAGE
    implementation: ClassVar[str] = "modules.backends.stable_diffusion_cpp.loader:StableDiffusionCppLoader"
    spellings: ClassVar[tuple[str, ...]] = ("sd.cpp", "stable_diffusion_cpp", "sd-cpp")
    options: ClassVar[type[SettingsGroup]] = StableDiffusionCppOptions
    endings: ClassVar[tuple[str, ...]] = ENDINGS

    @override
    def reads(self, path: Path) -> bool:
        return is_image_model(path)

    @override
    def can_use_gpu(self) -> bool:
        return any(_is_installed(package) for package in _CARD_PACKAGES)

    @override
    def process(self, spec: LoadSpec) -> ProcessSpec:
        """One that cannot stop ends at once, so that nobody waits for what is not wanted any more."""
        found = super().process(spec)
        return found if _can_cancel() else replace(found, cancel_seconds=0)

    @override
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        files = read_image_model(Path(spec.path))
        options = read_options(StableDiffusionCppOptions, spec)
        kind = options.sd_cpp_type
        weights = int(files.size * _WIDENED if kind == "file" else files.elements * max(_BYTES[kind], 0.6) * 1.1)
        pixels = files.family.side**2
        is_tiled = options.sd_cpp_vae_tiling == "on" or (
            options.sd_cpp_vae_tiling == "auto" and pixels > UNTILED_PIXELS
        )
        computing = max(_TILES if is_tiled else pixels * _DECODING, pixels * _STEPPING)
        parts = (("weights", weights), ("buffers", computing), ("program", _PROGRAM))
        if not (gpus and self.can_use_gpu()):
            return MemoryEstimate(host=weights + computing + _PROGRAM, parts=parts)
        if options.sd_cpp_offload:
            return MemoryEstimate(host=weights + _PROGRAM, gpus=(weights // 2 + computing,), parts=parts)
        return MemoryEstimate(host=_PROGRAM, gpus=(weights + computing,), parts=parts)


def _can_cancel() -> bool:
    """Whether the installed version of the library can stop within a picture."""
    return not any(_version(package).startswith(_WITHOUT_CANCEL) for package in ("cyllama", *_CARD_PACKAGES))


def _is_installed(package: str) -> bool:
    return bool(_version(package))


def _version(package: str) -> str:
    """Empty for what is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
