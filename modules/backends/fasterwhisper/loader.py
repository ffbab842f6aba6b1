"""Brings Whisper models up, in their own process."""

import logging
from pathlib import Path

import ctranslate2
from faster_whisper import WhisperModel

from modules.backends.base import read_options
from modules.backends.fasterwhisper.folder import WhisperFolder, read_whisper_folder
from modules.backends.fasterwhisper.model import WhisperTranscriber
from modules.backends.fasterwhisper.options import FasterWhisperOptions
from modules.backends.transcription import TranscriptionWindow
from modules.engine.protocols import ReportProgress
from modules.engine.types import LoadSpec, ModelCard, ModelKind
from modules.errors import LoadFailed

_DECODER_TOKENS = 448


class FasterWhisperLoader:
    """A `MediaLoader`."""

    questions: object = TranscriptionWindow

    def probe(self, spec: LoadSpec) -> ModelCard:
        read_options(FasterWhisperOptions, spec)
        return _card(spec, read_whisper_folder(Path(spec.path)))

    def load(self, spec: LoadSpec, report: ReportProgress) -> WhisperTranscriber:
        # It logs the languages and times of what is said.
        logging.getLogger("faster_whisper").setLevel(logging.WARNING)
        options = read_options(FasterWhisperOptions, spec)
        folder = read_whisper_folder(Path(spec.path))
        device, precision = _placement(options)
        try:
            model = WhisperModel(
                spec.path, device=device, compute_type=precision, cpu_threads=spec.threads, local_files_only=True
            )
        except (RuntimeError, ValueError) as error:
            raise LoadFailed(f"{spec.name} cannot be loaded: {str(error)[:300]}") from error
        report(1.0)
        card = _card(spec, folder)
        return WhisperTranscriber(
            model, card, beam_size=options.transcription_beam_size, can_translate=folder.can_translate
        )


def _placement(options: FasterWhisperOptions) -> tuple[str, str]:
    """Device and precision, as CTranslate2 names them."""
    device, precision = options.transcription_device, options.transcription_compute_type
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() > 0 else "cpu"
    if precision == "auto":
        precision = "float16" if device == "cuda" else "int8"
    return device, precision


def _card(spec: LoadSpec, folder: WhisperFolder) -> ModelCard:
    return ModelCard(
        name=spec.name,
        loader=spec.loader,
        context=_DECODER_TOKENS,
        vocabulary=0,
        architecture="whisper",
        size_bytes=folder.weight_bytes,
        modalities=("audio",),
        can_score=False,
        kind=ModelKind.TRANSCRIPTION,
    )
