"""ExLlamaV3: folders in the EXL3 format, on NVIDIA cards.

They are recognised, estimated, and refused in a sentence that says what is missing; the engine itself is still to come.
"""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Final

from typing_extensions import override

from modules.backends.base import BackendSpec, MemoryEstimate
from modules.backends.hub_folder import CONFIG, ModelFolder
from modules.engine.protocols import Loader
from modules.engine.types import LoadSpec
from modules.errors import LoadFailed

_FORMAT: Final = "exl3"
_PACKAGE: Final = "exllamav3"
# It comes with the driver.
_DRIVER_TOOL: Final = "nvidia-smi"
_INSTEAD: Final = "Take the model in another format, for another loader."


class ExLlamaV3(BackendSpec):
    # text-generation-webui's spelling.
    name: ClassVar[str] = "ExLlamav3"
    spellings: ClassVar[tuple[str, ...]] = ("exllama", "exllamav3_hf")
    format: ClassVar[str] = "EXL3"

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
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        """Of the weights, which lie on the cards as they lie in the files."""
        weights = sum(tensor.bytes for tensor in ModelFolder.read(Path(spec.path)).tensors().values())
        return MemoryEstimate(host=weights, parts=(("weights", weights),))

    @override
    def loader(self) -> Loader:
        raise LoadFailed(f"The ExLlamav3 loader cannot be used: {_missing()} {_INSTEAD}")


def _missing() -> str:
    has_card = shutil.which(_DRIVER_TOOL) is not None
    has_package = find_spec(_PACKAGE) is not None
    match has_card, has_package:
        case False, False:
            return (
                "there is no NVIDIA graphics card (Ampere or newer) here, and the package exllamav3 is not installed."
            )
        case False, True:
            return "there is no NVIDIA graphics card (Ampere or newer) here."
        case True, False:
            return "the package exllamav3 is not installed."
        case _:
            return "this version of the program does not run it yet."
