"""A child that judges pictures by open_nsfw: how likely one shows what is sexual.

The model reads 224 × 224 pixels, blue first, without the mean colour of what it was trained on.
"""

import io
from collections.abc import Iterable
from typing import Final

import numpy as np
import onnxruntime as ort
from PIL import Image

from modules.backends.judging import JudgePicture, PictureJudged
from modules.process.server import Task, serve

_SIDE: Final = 256
_MARGIN: Final = 16
_MEAN: Final = (104.0, 117.0, 123.0)
_WARNINGS_ONLY: Final = 3


class _Judge:
    def __init__(self) -> None:
        self._session: ort.InferenceSession | None = None

    def answer(self, question: JudgePicture, _task: Task) -> Iterable[PictureJudged]:
        self._session = self._session or _session(question.model)
        name = self._session.get_inputs()[0].name
        (scores,) = self._session.run(None, {name: _values(question)})
        return (PictureJudged(float(np.asarray(scores)[0, 1])),)


def run() -> None:
    serve(_Judge().answer, questions=JudgePicture)


def _session(model: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = _WARNINGS_ONLY
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _values(question: JudgePicture) -> np.ndarray:
    picture = Image.frombytes("RGB", (question.width, question.height), question.data)
    picture = picture.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    picture = picture.crop((_MARGIN, _MARGIN, _SIDE - _MARGIN, _SIDE - _MARGIN))
    # It was trained on JPEG files of this size.
    file = io.BytesIO()
    picture.save(file, "JPEG")
    colours = np.asarray(Image.open(file), np.float32)[:, :, ::-1] - np.array(_MEAN, np.float32)
    return np.ascontiguousarray(colours[None], np.float32)
