"""The options of the faster-whisper backend."""

from typing import ClassVar, Literal

from modules.settings.options import SettingsGroup, setting


class FasterWhisperOptions(SettingsGroup, frozen=True):
    title: ClassVar[str] = "faster-whisper: transcription"

    transcription_device: Literal["auto", "cpu", "cuda"] = setting(
        "auto", "Device of transcription models; auto is CUDA where there is a graphics card.", label="Device"
    )
    transcription_compute_type: Literal["auto", "int8", "int8_float16", "float16", "bfloat16", "float32"] = setting(
        "auto",
        "Precision that transcription models compute with; auto is int8 on processors and float16 on graphics cards.",
        label="Precision",
    )
    transcription_beam_size: int = setting(
        5, "Texts that are weighed against each other; 1 takes about half the time.", ge=1, le=20, label="Beam size"
    )
