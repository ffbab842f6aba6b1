"""The backend of voices: Kokoro folders and Piper voices."""

from pathlib import Path
from typing import ClassVar, Final

from typing_extensions import override

from modules.backends.base import MemoryEstimate
from modules.backends.onnx.speech.folder import KokoroFolder, is_speech_model, read_model
from modules.backends.speaking.spec import SpeechBackendSpec, Voices
from modules.engine.types import LoadSpec

# Measured: Python with ONNX Runtime, espeak-ng and FFmpeg's libraries; and what the longest sentence computes with.
_PROGRAM: Final = 120 * 2**20
_COMPUTING: Final = 540 * 2**20
_FIRST: Final = "af_heart"


class OnnxSpeech(SpeechBackendSpec):
    name: ClassVar[str] = "Kokoro and Piper"
    implementation: ClassVar[str] = "modules.backends.onnx.speech.speaker:SpeechLoader"
    spellings: ClassVar[tuple[str, ...]] = ("kokoro", "piper")
    endings: ClassVar[tuple[str, ...]] = (".onnx",)

    @override
    def reads(self, path: Path) -> bool:
        return is_speech_model(path)

    @override
    def voices(self, path: Path) -> Voices:
        model = read_model(path)
        if not isinstance(model, KokoroFolder):
            return Voices(model.voice_names, "piper")
        names = model.voice_names
        first = (_FIRST,) if _FIRST in names else ()
        return Voices((*first, *(name for name in names if name not in first)), "kokoro", can_mix=True)

    @override
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        weights = read_model(Path(spec.path)).graph.stat().st_size
        parts = (("weights", weights), ("buffers", _COMPUTING), ("program", _PROGRAM))
        return MemoryEstimate(host=sum(size for _, size in parts), parts=parts)
