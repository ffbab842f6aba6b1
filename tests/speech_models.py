"""The voices that tests speak with, and how long a sound lasts."""

import io
from pathlib import Path
from typing import Final

import av

from tests.model_files import model_folder

KOKORO: Final = "onnx-community_Kokoro-82M-v1.0-ONNX"
FORMATS: Final = ("mp3", "opus", "aac", "flac", "wav", "pcm")
RATE: Final = 24_000


def lay_kokoro(models: Path) -> None:
    """Put the real model into a model folder."""
    (models / KOKORO).symlink_to(model_folder(KOKORO))


def seconds_of(sound: bytes, name: str) -> float:
    """By decoding all of it."""
    if name == "pcm":
        return len(sound) / (2 * RATE)
    with av.open(io.BytesIO(sound), "r") as container:
        frames = [(frame.samples, frame.sample_rate) for frame in container.decode(audio=0)]
    return sum(samples for samples, _ in frames) / frames[0][1]
