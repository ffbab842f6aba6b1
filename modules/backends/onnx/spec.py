"""The ONNX backend: folders of encoders, for embeddings and reranking."""

from pathlib import Path
from typing import ClassVar, Final

from typing_extensions import override

from modules.backends.base import BackendSpec, MemoryEstimate
from modules.backends.encoders.folder import EncoderFolder, kind_of_folder, read_folder
from modules.backends.encoders.options import EncoderOptions
from modules.backends.onnx.graph_file import graph_of, has_cuda, is_computable
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
    options: ClassVar[type[SettingsGroup]] = EncoderOptions
    format: ClassVar[str] = "sentence-transformers"

    @override
    def reads(self, path: Path) -> bool:
        return is_computable(path)

    @override
    def suits(self, options: SettingsGroup) -> bool:
        device = str(getattr(options, "openai_embedding_device", "")).lower().partition(":")[0]
        return device not in {"mps", "cuda"} or (device == "cuda" and has_cuda())

    @override
    def kind_of(self, path: Path) -> ModelKind:
        return kind_of_folder(path)

    @override
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        path = Path(spec.path)
        weights = int(_weight_bytes(read_folder(path), graph_of(path)) * _COPIES)
        parts = (("weights", weights), ("buffers", _COMPUTING), ("program", _PROGRAM))
        return MemoryEstimate(host=weights + _COMPUTING + _PROGRAM, parts=parts)

    @override
    def loader(self) -> Loader:
        from modules.backends.onnx.loader import OnnxLoader  # noqa: PLC0415

        return OnnxLoader()


def _weight_bytes(folder: EncoderFolder, graph: Path | None) -> int:
    files = folder.weights if graph is None else tuple(graph.parent.glob(f"{graph.name}*"))
    return sum(file.stat().st_size for file in files if file.is_file())
