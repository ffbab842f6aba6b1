"""What a judge of pictures is asked and answers, and where it is."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from modules.process.spec import ProcessSpec


class JudgePicture(msgspec.Struct, frozen=True):
    """Rows of RGB pixels, for the model in the file `model`."""

    model: str
    width: int
    height: int
    data: bytes


class PictureJudged(msgspec.Struct, frozen=True):
    """From 0 to 1."""

    score: float


@dataclass(frozen=True, slots=True)
class PictureJudge:
    """`model` is its file below the folder for models."""

    process: ProcessSpec
    model: Path
