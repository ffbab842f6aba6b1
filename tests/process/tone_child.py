"""The child of the example: a media engine that makes tones."""

import array
import math
from collections.abc import Iterator

import msgspec

from modules.errors import BadRequest
from modules.process.server import Task, serve

RATE = 24_000


class MakeTone(msgspec.Struct, frozen=True):
    hertz: float
    seconds: int


class Samples(msgspec.Struct, frozen=True):
    """A tenth of a second of 16-bit samples."""

    data: bytes


def run() -> None:
    # Here a real engine loads its model.
    serve(make_tone, questions=MakeTone)


def make_tone(question: MakeTone, _task: Task) -> Iterator[Samples]:
    if not 20 <= question.hertz <= 20_000:
        raise BadRequest("A tone has 20 to 20,000 Hz.", param="hertz")
    for piece in range(question.seconds * 10):
        times = range(piece * RATE // 10, (piece + 1) * RATE // 10)
        wave = (int(32_000 * math.sin(math.tau * question.hertz * time / RATE)) for time in times)
        yield Samples(array.array("h", wave).tobytes())
