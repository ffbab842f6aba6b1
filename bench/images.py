"""Draws with a real pipeline: seconds for each step, memory, whether seeds repeat, and whether a cancel works.

Usage: python -m bench.images FOLDER [--size 1024x1024] [--steps 20] [--rounds 3] [--set image_dtype=float16 …]
FOLDER is a pipeline as diffusers has it; without a size and steps those that the model is made for are taken. The engine
runs as in the server, in a process of its own. Ends with status 1 when a check fails.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
import numpy as np
import psutil

from modules.backends.cores import media_threads
from modules.backends.imaging.messages import Bitmap, DescribeImageModel, DrawImages, ImageCard, ImageDone, StepDone
from modules.backends.registry import BACKENDS
from modules.engine.media_process import MediaProcess
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import ServiceError
from modules.models.gauge import gpus_now

_ANSWERS: Final = msgspec.msgpack.Decoder(StepDone | ImageDone | ImageCard)
_PROMPT: Final = "a lighthouse on a cliff above the sea, morning light"
_MIB: Final = 1 << 20
_SAMPLE_SECONDS: Final = 0.25
# A cancelled drawing ends within its step; the rest is for what is between two steps.
_CANCEL_STEPS: Final = 1.5
_CANCEL_SECONDS: Final = 1.0
_MOST_STEPS: Final = 900


@dataclass(frozen=True, slots=True)
class Round:
    """One drawing: when it began, when each step was done, and when the picture was there."""

    began: float
    steps: tuple[float, ...]
    ended: float
    picture: Bitmap

    @property
    def step_seconds(self) -> list[float]:
        """Without the first, before which the prompt is read."""
        return [after - before for before, after in pairwise(self.steps)] or [self.steps[0] - self.began]


@dataclass(slots=True)
class Peak:
    """The most bytes that the process had in main memory, and all graphics cards more than before."""

    host: int = 0
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    is_right: bool
    found: str


async def measure(spec: LoadSpec, wanted: argparse.Namespace) -> list[Check]:
    estimate = await asyncio.to_thread(BACKENDS.media_engine(spec.loader).estimate, spec, _free())
    used = _used()
    process = await asyncio.to_thread(BACKENDS.media_engine(spec.loader).process, spec)
    began = time.perf_counter()
    engine = await MediaProcess.probe(spec, process)
    try:
        await engine.load(lambda _fraction: None)
        loading = time.perf_counter() - began
        card = await engine.ask(DescribeImageModel(), _ANSWERS)
        assert isinstance(card, ImageCard)
        request = _request(card, wanted)
        async with _watched(engine.pid, used) as peak:
            await drawn(engine, request, seed=0)  # what is compiled or chosen at the first picture
            rounds = [await drawn(engine, request, seed=1) for _ in range(wanted.rounds)]
            other = await drawn(engine, request, seed=2)
            checks = [
                *_seed_checks(rounds, other, await _second_of_two(engine, request)),
                await _cancel_check(engine, request, median(rounds[0].step_seconds)),
            ]
    finally:
        await engine.aclose()
    _tell(card, request, rounds, loading)
    print(f"main memory        {peak.host / _MIB:8.0f} MiB, {estimate.host / _MIB:.0f} estimated")
    print(f"graphics cards     {peak.gpus / _MIB:8.0f} MiB, {estimate.gpu / _MIB:.0f} estimated")
    return checks


async def drawn(engine: MediaProcess, request: DrawImages, *, seed: int) -> Round:
    began = time.perf_counter()
    steps: list[float] = []
    async with aclosing(engine.stream(msgspec.structs.replace(request, seeds=(seed,)), _ANSWERS)) as answers:
        async for answer in answers:
            if isinstance(answer, ImageDone):
                return Round(began, tuple(steps), time.perf_counter(), answer.bitmap)
            steps.append(time.perf_counter())
    raise RuntimeError("the model made no picture")


async def _second_of_two(engine: MediaProcess, request: DrawImages) -> Bitmap:
    async with aclosing(engine.stream(msgspec.structs.replace(request, seeds=(7, 1)), _ANSWERS)) as answers:
        pictures = [answer.bitmap async for answer in answers if isinstance(answer, ImageDone)]
    return pictures[1]


async def _cancel_check(engine: MediaProcess, request: DrawImages, step: float) -> Check:
    """How soon the next question is answered when the caller goes after the first step."""
    pid, most = engine.pid, _CANCEL_STEPS * step + _CANCEL_SECONDS
    # So many that it cannot have come to its end by itself.
    steps = max(request.steps, min(_MOST_STEPS, 2 + int(3 * most / step)))
    async with aclosing(engine.stream(msgspec.structs.replace(request, steps=steps), _ANSWERS)) as answers:
        await anext(answers)
    began = time.perf_counter()
    await engine.ask(DescribeImageModel(), _ANSWERS)
    took = time.perf_counter() - began
    is_right = engine.pid == pid and engine.is_alive and took <= most
    return Check("a cancel ends the drawing within a step", is_right, f"{took:.2f} s, a step takes {step:.2f} s")


def _seed_checks(rounds: Sequence[Round], other: Round, second: Bitmap) -> list[Check]:
    first = rounds[0].picture
    repeats = max(map(_difference, [first] * (len(rounds) - 1), [each.picture for each in rounds[1:]]), default=0)
    beside, apart = _difference(first, second), _difference(first, other.picture)
    return [
        Check("a seed makes the same picture again", repeats == 0, f"largest difference {repeats} of 255"),
        Check("and the same picture as one of several", beside == 0, f"largest difference {beside} of 255"),
        Check("another seed makes another picture", apart > 0, f"largest difference {apart} of 255"),
    ]


def _difference(first: Bitmap, second: Bitmap) -> int:
    one, two = (np.frombuffer(picture.data, np.uint8).astype(np.int16) for picture in (first, second))
    return int(np.abs(one - two).max())


@asynccontextmanager
async def _watched(pid: int, used_before: int) -> AsyncIterator[Peak]:
    """Looks at the memory again and again until the end."""
    peak, is_over = Peak(), asyncio.Event()

    async def watch() -> None:
        while not is_over.is_set() and psutil.pid_exists(pid):
            host, used = await asyncio.to_thread(lambda: (psutil.Process(pid).memory_info().rss, _used()))
            peak.host, peak.gpus = max(peak.host, host), max(peak.gpus, used - used_before)
            await asyncio.sleep(_SAMPLE_SECONDS)

    watching = asyncio.create_task(watch())
    try:
        yield peak
    finally:
        is_over.set()
        await watching


def _used() -> int:
    return sum(card.total - card.free for card in gpus_now())


def _free() -> tuple[int, ...]:
    return tuple(card.free for card in gpus_now())


def _request(card: ImageCard, wanted: argparse.Namespace) -> DrawImages:
    width, height = wanted.size or (card.width, card.height)
    steps = wanted.steps or card.steps
    return DrawImages(prompt=_PROMPT, width=width, height=height, steps=steps, guidance=card.guidance, seeds=(0,))


def _tell(card: ImageCard, request: DrawImages, rounds: Sequence[Round], loading: float) -> None:
    seconds = [second for each in rounds for second in each.step_seconds]
    print(f"{card.name} ({card.loader}, {card.family}), {request.width} × {request.height}, {request.steps} steps")
    print(f"loading            {loading:8.2f} s")
    print(f"prompt, first step {median(each.steps[0] - each.began for each in rounds):8.3f} s")
    print(f"a step             {median(seconds):8.3f} s ({min(seconds):.3f} to {max(seconds):.3f})")
    print(f"decoding           {median(each.ended - each.steps[-1] for each in rounds):8.3f} s")
    print(f"a picture          {median(each.ended - each.began for each in rounds):8.2f} s (median of {len(rounds)})")


def _spec(folder: Path, options: Mapping[str, Any]) -> LoadSpec:
    backend = BACKENDS.reader_of(folder)
    if backend.kind_of(folder) is not ModelKind.IMAGE:
        sys.exit(f"{folder} is no folder of a pipeline that makes pictures: there is no model_index.json of one in it.")
    threads = media_threads(is_alone=True)
    path = str(folder.absolute())
    return LoadSpec(
        name=folder.name, path=path, loader=backend.name, kind=ModelKind.IMAGE, options=options, threads=threads
    )


def _size(text: str) -> tuple[int, int]:
    width, height = text.lower().split("x")
    return int(width), int(height)


def _option(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.replace("-", "_"), value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=_size)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--rounds", type=int, default=3, choices=range(2, 100), metavar="2…99")
    parser.add_argument("--set", type=_option, action="append", default=[], help="an option of the load: NAME=VALUE")
    wanted = parser.parse_args()
    try:
        checks = asyncio.run(measure(_spec(wanted.folder, dict(wanted.set)), wanted))
    except ServiceError as error:
        sys.exit(error.message)
    for check in checks:
        print(f"{'ok    ' if check.is_right else 'FAILED'} {check.name}: {check.found}")
    sys.exit(0 if all(check.is_right for check in checks) else 1)


if __name__ == "__main__":
    main()
