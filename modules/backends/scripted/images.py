"""An image model that needs none: waves of colour from seed and prompt, for demonstrations and tests.

The same request gives the same picture. Colours that the prompt names are in it; a picture to begin with shows through by
what `strength` leaves, and what a mask covers is drawn anew (the rest comes back slightly changed, as real models do).
References lend their mean colour. A prompt that begins with "slow N:" takes N ms a step; "stall" stops after the first step
until it is cancelled, "hang" whatever happens, "fail" breaks there and "crash" ends the process.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np

from modules.backends.imaging.engine import Report, ServedImageModel, is_preview_due, model_card
from modules.backends.imaging.messages import (
    Bitmap,
    DrawImages,
    ImageAbility,
    ImageCard,
    ImageDone,
    ImageQuestion,
    StepDone,
)
from modules.engine.protocols import ReportProgress
from modules.engine.types import LoadSpec, ModelCard

_Pixels: TypeAlias = np.ndarray

CARD: Final = ImageCard(
    name="scripted-images",
    family="scripted",
    loader="scripted",
    steps=8,
    guidance=0.0,
    samplers=("euler", "euler_a", "ddim"),
    schedulers=("normal", "karras"),
    abilities=tuple(ability for ability in ImageAbility if ability is not ImageAbility.EDIT),
    max_references=15,
)
_PREVIEW_SIDE: Final = 128
_WAVES: Final = 4
_COLOURS: Final = {
    "red": (220, 30, 30),
    "orange": (240, 140, 20),
    "yellow": (240, 220, 40),
    "green": (40, 160, 60),
    "blue": (40, 80, 220),
    "purple": (140, 50, 180),
    "pink": (240, 140, 180),
    "brown": (130, 80, 40),
    "black": (15, 15, 15),
    "white": (245, 245, 245),
    "grey": (128, 128, 128),
}
_STALL_SECONDS: Final = 0.005
# Models change pixels that they were told to leave, because they pass through the encoder.
_DRIFT: Final = 3.0


class ScriptedImages:
    """Draws at once whatever the number of steps."""

    card: Final = CARD

    def draw(self, request: DrawImages, report: Report, is_cancelled: Callable[[], bool]) -> None:
        steps = request.steps_to_do
        for index, seed in enumerate(request.seeds):
            picture = _Picture(request, seed)
            for step in range(1, steps + 1):
                preview = picture.preview(step / steps) if is_preview_due(request, step, steps) else None
                report(StepDone(index=index, step=step, steps=steps, preview=preview))
                _play(request.prompt, is_cancelled)
            report(ImageDone(index=index, seed=seed, bitmap=picture.finished()))


class _Picture:
    def __init__(self, request: DrawImages, seed: int) -> None:
        self._request = request
        self._dice = _dice(request, seed)
        self._goal: _Pixels | None = None

    def finished(self) -> Bitmap:
        request = self._request
        return _bitmap(self._on_source(self._colours()), _disc(request) if request.is_transparent else None)

    def preview(self, share: float) -> Bitmap:
        """Out of noise, smaller than the picture."""
        request = self._request
        every = max(1, max(request.width, request.height) // _PREVIEW_SIDE)
        goal = self._on_source(self._colours())[::every, ::every]
        noise = np.random.default_rng(len(request.prompt)).uniform(0, 255, goal.shape).astype(np.float32)
        return _bitmap(goal * share + noise * (1 - share))

    def _colours(self) -> _Pixels:
        if self._goal is None:
            self._goal = _waves(self._request, self._dice)
        return self._goal

    def _on_source(self, drawn: _Pixels) -> _Pixels:
        request = self._request
        if request.source is None:
            return drawn
        source = _pixels(request.source)
        if request.mask is None:
            return source * (1 - request.strength) + drawn * request.strength
        mask = np.frombuffer(request.mask, np.uint8).reshape(request.height, request.width, 1)
        return np.where(mask > 0, drawn, np.minimum(source + _DRIFT, 255))


def _dice(request: DrawImages, seed: int) -> np.random.Generator:
    parts = (seed, request.prompt, request.negative_prompt, request.guidance, request.sampler, request.scheduler)
    digest = hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def _waves(request: DrawImages, dice: np.random.Generator) -> _Pixels:
    down, across = np.mgrid[0 : request.height, 0 : request.width].astype(np.float32)
    down, across = down / request.height, across / request.width
    shade: np.ndarray = np.zeros((request.height, request.width), np.float32)
    for turns, angle, phase in zip(
        dice.uniform(1, 4, _WAVES), dice.uniform(0, 3.14, _WAVES), dice.uniform(0, 6.28, _WAVES), strict=True
    ):
        shade += np.sin((across * np.cos(angle) + down * np.sin(angle)) * turns * 6.28 + phase)
    shade = (shade / _WAVES + 1) / 2
    first, second = _palette(request, dice)
    mixed: _Pixels = first * shade[..., None] + second * (1 - shade[..., None])
    return mixed


def _palette(request: DrawImages, dice: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two colours: those that the prompt names, those of the references, and others from seed and prompt."""
    named = [_COLOURS[word] for word in re.findall(r"[a-z]+", request.prompt.lower()) if word in _COLOURS]
    seen = [_pixels(each).mean(axis=(0, 1)) for each in request.references]
    colours = [np.asarray(colour, np.float32) for colour in (*named, *seen)][:2]
    others = dice.uniform(0, 255, (2, 3)).astype(np.float32)
    if len(colours) == 1:
        # A named colour stays the picture's: the other one is a shade of it.
        colours.append(colours[0] * np.float32(0.6) + others[0] * np.float32(0.2))
    first, second = (*colours, *others)[:2]
    return first, second


def _pixels(bitmap: Bitmap) -> _Pixels:
    shape = (bitmap.height, bitmap.width, bitmap.channels)
    found: _Pixels = np.frombuffer(bitmap.data, np.uint8).reshape(shape)[..., :3].astype(np.float32)
    return found


def _disc(request: DrawImages) -> np.ndarray:
    """Opaque in the middle, transparent in the corners."""
    down, across = np.mgrid[0 : request.height, 0 : request.width].astype(np.float32)
    distance = np.hypot(down / request.height - 0.5, across / request.width - 0.5)
    return np.where(distance < 0.5, 255, 0).astype(np.uint8)


def _bitmap(colours: _Pixels, alpha: np.ndarray | None = None) -> Bitmap:
    rounded = np.clip(np.rint(colours), 0, 255).astype(np.uint8)
    if alpha is not None:
        rounded = np.dstack((rounded, alpha))
    height, width, channels = rounded.shape
    return Bitmap(width, height, channels, rounded.tobytes())


def _play(prompt: str, is_cancelled: Callable[[], bool]) -> None:
    """What the prompt asks for besides a picture, after a step."""
    command, _, rest = prompt.partition(" ")
    match command.rstrip(":"):
        case "slow" if (number := re.match(r"\d{1,5}", rest)) is not None:
            time.sleep(int(number.group()) / 1000)
        case "stall":
            while not is_cancelled():
                time.sleep(_STALL_SECONDS)
        case "hang":
            while True:
                time.sleep(1)
        case "fail":
            raise RuntimeError("the script says fail")
        case "crash":
            os._exit(1)


class ScriptedImageLoader:
    """Needs no file."""

    questions: Final = ImageQuestion

    def probe(self, spec: LoadSpec) -> ModelCard:
        return model_card(CARD, spec)

    def load(self, spec: LoadSpec, report: ReportProgress) -> ServedImageModel:
        report(1.0)
        return ServedImageModel(ScriptedImages(), spec)
