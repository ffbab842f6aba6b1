"""The sentence-transformers backend: folders of encoders that need PyTorch."""

from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Final

from typing_extensions import override

from modules.backends.base import BackendSpec, MemoryEstimate
from modules.backends.encoders.folder import is_encoder_folder, kind_of_folder, read_folder
from modules.backends.encoders.options import EncoderOptions
from modules.engine.protocols import Loader
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import LoadFailed
from modules.settings.options import SettingsGroup

_PACKAGE: Final = "sentence_transformers"
# Measured: Python with PyTorch and the library, and what one step computes with.
_PROGRAM: Final = 480 * 2**20
_COMPUTING: Final = 128 * 2**20
_HALF_TYPES: Final = frozenset(("float16", "bfloat16"))


class SentenceTransformers(BackendSpec):
    probe_bytes: ClassVar[int] = _PROGRAM
    name: ClassVar[str] = "sentence-transformers"
    spellings: ClassVar[tuple[str, ...]] = (_PACKAGE, "sbert")
    options: ClassVar[type[SettingsGroup]] = EncoderOptions
    format: ClassVar[str] = "sentence-transformers"

    @override
    def reads(self, path: Path) -> bool:
        return is_encoder_folder(path)

    @override
    def suits(self, options: SettingsGroup) -> bool:
        return find_spec(_PACKAGE) is not None

    @override
    def kind_of(self, path: Path) -> ModelKind:
        return kind_of_folder(path)

    @override
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        """Weights of 16 bits become 32 on the processor."""
        folder = read_folder(Path(spec.path))
        stored = sum(file.stat().st_size for file in folder.weights if file.is_file())
        kind = str(folder.config.get("dtype") or folder.config.get("torch_dtype") or "")
        weights = stored * 2 if kind in _HALF_TYPES else stored
        parts = (("weights", weights), ("buffers", _COMPUTING), ("program", _PROGRAM))
        return MemoryEstimate(host=weights + _COMPUTING + _PROGRAM, parts=parts)

    @override
    def loader(self) -> Loader:
        if find_spec(_PACKAGE) is None:
            raise LoadFailed(
                "This model needs sentence-transformers, which is not installed. Install it with "
                "`python3 one_click.py install --set full`."
            )
        from modules.backends.sentence_transformers.loader import SentenceTransformersLoader  # noqa: PLC0415

        return SentenceTransformersLoader()
