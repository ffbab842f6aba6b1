"""Faster and slower than a model speaks well, at the same pitch, by FFmpeg's filter `atempo` (WSOLA)."""

from fractions import Fraction
from itertools import pairwise
from typing import Final

import av
import numpy as np
from av.filter import Graph

from modules.backends.onnx.speech.synthesizer import Samples

# Beyond these, models swallow words or drawl.
MODEL_SPEEDS: Final = (0.5, 2.0)
# The filter does no more at once.
_FILTER_SPEEDS: Final = (0.5, 2.0)


def split_speed(speed: float) -> tuple[float, float]:
    """The model's own part of it, and what is left to do; their product is `speed`."""
    own = min(max(speed, MODEL_SPEEDS[0]), MODEL_SPEEDS[1])
    return own, speed / own


def changed_tempo(samples: Samples, rate: int, speed: float) -> Samples:
    if speed == 1.0 or not samples.size:
        return samples
    graph = Graph()
    chain = [graph.add_abuffer(sample_rate=rate, format="flt", layout="mono", time_base=Fraction(1, rate))]
    chain += [graph.add("atempo", f"{step:.6f}") for step in _steps(speed)]
    chain.append(graph.add("abuffersink"))
    for before, after in pairwise(chain):
        before.link_to(after)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
    frame.sample_rate = rate
    graph.push(frame)
    graph.push(None)
    return _pulled(graph)


def _steps(speed: float) -> list[float]:
    """Each within the filter's range, with the product `speed`."""
    steps = []
    while not _FILTER_SPEEDS[0] <= speed <= _FILTER_SPEEDS[1]:
        step = _FILTER_SPEEDS[0] if speed < 1 else _FILTER_SPEEDS[1]
        steps.append(step)
        speed /= step
    return [*steps, speed]


def _pulled(graph: Graph) -> Samples:
    parts = []
    while True:
        try:
            parts.append(graph.pull().to_ndarray().reshape(-1))
        except (av.error.BlockingIOError, av.error.EOFError):
            return np.concatenate(parts) if parts else np.zeros(0, np.float32)
