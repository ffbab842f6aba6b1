"""The faster-whisper backend: what the program knows of it without its libraries."""

from pathlib import Path
from typing import ClassVar, Final

from typing_extensions import override

from modules.backends.base import MemoryEstimate, read_options
from modules.backends.fasterwhisper.folder import is_whisper_folder, read_whisper_folder
from modules.backends.fasterwhisper.options import FasterWhisperOptions
from modules.backends.media import MediaBackendSpec
from modules.engine.types import LoadSpec, ModelKind
from modules.settings.options import SettingsGroup

# Measured: Python with CTranslate2, ONNX Runtime for the voice activity, and a window of a recording.
_PROGRAM: Final = 220 * 2**20
# Weights on disk have two bytes each, in most conversions.
_SHARES: Final = {"int8": 0.5, "int8_float16": 0.5, "float16": 1.0, "bfloat16": 1.0, "float32": 2.0}
_CARD_PROGRAM: Final = 300 * 2**20


class FasterWhisper(MediaBackendSpec):
    name: ClassVar[str] = "faster-whisper"
    kind: ClassVar[ModelKind] = ModelKind.TRANSCRIPTION
    implementation: ClassVar[str] = "modules.backends.fasterwhisper.loader:FasterWhisperLoader"
    spellings: ClassVar[tuple[str, ...]] = ("faster_whisper", "whisper")
    options: ClassVar[type[SettingsGroup]] = FasterWhisperOptions

    @override
    def reads(self, path: Path) -> bool:
        return is_whisper_folder(path)

    @override
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        options = read_options(FasterWhisperOptions, spec)
        on_card = options.transcription_device == "cuda" or (options.transcription_device == "auto" and bool(gpus))
        precision = options.transcription_compute_type
        if precision == "auto":
            precision = "float16" if on_card else "int8"
        weights = int(read_whisper_folder(Path(spec.path)).weight_bytes * _SHARES[precision])
        # What a step computes with grows with the model.
        computing = weights // 2 + options.transcription_beam_size * 2**22
        parts = (("weights", weights), ("buffers", computing), ("program", _PROGRAM))
        if on_card:
            return MemoryEstimate(host=_PROGRAM, gpus=(weights + computing + _CARD_PROGRAM,), parts=parts)
        return MemoryEstimate(host=weights + computing + _PROGRAM, parts=parts)
