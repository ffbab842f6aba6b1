"""The ONNX backend: folders of encoders, for embeddings and reranking."""

from pathlib import Path
from typing import ClassVar, Final

from typing_extensions import override

from modules.backends.base import BackendSpec, MemoryEstimate
from modules.backends.onnx.folder import EncoderFolder, is_encoder_folder, kind_of_folder, read_folder
from modules.backends.onnx.options import OnnxOptions
from modules.engine.protocols import Loader
from modules.engine.types import LoadSpec, ModelKind
from modules.settings.options import SettingsGroup

# Measured: Python with ONNX Runtime, and what one step computes with.
_PROGRAM: Final = 90 * 2**20
_COMPUTING: Final = 48 * 2**20
# Weights are kept in the arrangement of the processor and, where it differs, as they were.
_COPIES: Final = 1.5


class Onnx(BackendSpec):
    name: ClassVar[str] = "ONNX Runtime"
    spellings: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime")
    options: ClassVar[type[SettingsGroup]] = OnnxOptions
    format: ClassVar[str] = "sentence-transformers"

    @override
    def reads(self, path: Path) -> bool:
        return is_encoder_folder(path)

    @override
    def kind_of(self, path: Path) -> ModelKind:
        return kind_of_folder(path)

    @override
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        weights = int(_weight_bytes(read_folder(Path(spec.path))) * _COPIES)
        parts = (("weights", weights), ("buffers", _COMPUTING), ("program", _PROGRAM))
        return MemoryEstimate(host=weights + _COMPUTING + _PROGRAM, parts=parts)

    @override
    def loader(self) -> Loader:
        from modules.backends.onnx.loader import OnnxLoader  # noqa: PLC0415

        return OnnxLoader()


def _weight_bytes(folder: EncoderFolder) -> int:
    files = folder.weights if folder.graph is None else tuple(folder.graph.parent.glob(f"{folder.graph.name}*"))
    return sum(file.stat().st_size for file in files if file.is_file())
