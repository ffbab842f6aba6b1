"""What is known to fail before the weights of an EXL3 folder are read."""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, Final

from modules.backends.exllamav3.options import ExLlamaV3Options
from modules.backends.hub_folder import ModelFolder
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import LoadFailed

PACKAGE: Final = "exllamav3"
# Its kernels, in wheels that were compiled for one PyTorch.
_EXTENSION: Final = "exllamav3_ext"
# It comes with the driver.
_DRIVER_TOOL: Final = "nvidia-smi"
_COMPILER: Final = "nvcc"
_NO_CARD: Final = "there is no NVIDIA graphics card (Turing or newer) here"
_INSTALL: Final = "Install it with `python3 one_click.py install exllamav3`."
_INSTEAD: Final = "Take the model in another format, for another loader."
# Turing.
_OLDEST: Final = (7, 5)


def missing() -> str:
    """Without importing anything; empty where nothing is missing."""
    has_card = shutil.which(_DRIVER_TOOL) is not None
    has_package = find_spec(PACKAGE) is not None
    if not has_card:
        also = "" if has_package else ", and the package exllamav3 is not installed"
        return f"{_NO_CARD}{also}. {_INSTEAD}"
    if not has_package or find_spec("torch") is None:
        return f"the package exllamav3 is not installed. {_INSTALL}"
    if find_spec(_EXTENSION) is None and shutil.which(_COMPILER) is None:
        return f"the package exllamav3 is there without its compiled kernels, and there is no CUDA compiler. {_INSTALL}"
    return ""


def check_card(torch: Any) -> None:
    """Raises LoadFailed where PyTorch finds no card that the kernels run on."""
    if not torch.cuda.is_available():
        raise LoadFailed(
            f"The ExLlamav3 loader cannot be used: {_NO_CARD} that PyTorch can use. Its build must be one for CUDA. "
            f"{_INSTALL}"
        )
    if torch.cuda.get_device_capability() < _OLDEST:
        raise LoadFailed(
            f"The ExLlamav3 loader cannot be used: {torch.cuda.get_device_name()} is older than Turing. {_INSTEAD}"
        )


def check(spec: LoadSpec, folder: ModelFolder, options: ExLlamaV3Options, *, cards: int) -> None:
    """Raises LoadFailed."""
    for refusal in _refusals(spec, folder, options, cards):
        raise LoadFailed(f"{spec.name} cannot be loaded: {refusal}")


def _refusals(spec: LoadSpec, folder: ModelFolder, options: ExLlamaV3Options, cards: int) -> Iterator[str]:
    if spec.kind is not ModelKind.CHAT:
        yield f"the ExLlamav3 loader runs models that write text, none for the kind {spec.kind}."
    if not folder.has_safetensors:
        yield "there are no safetensors files in its folder. Download it again."
    if options.enable_tp and cards < 2:
        yield "--enable-tp needs two graphics cards. Leave it out."
    if options.enable_tp and spec.adapters:
        yield "LoRA adapters do not work with --enable-tp. Leave one of them out."
    if len(options.gpu_split) > cards:
        yield f"--gpu-split names {len(options.gpu_split)} graphics cards, and there are {cards}."
    if options.mtp and spec.speculates:
        yield "--mtp and --speculation exclude each other. Leave one of them out."
