"""What an image engine is asked, what it answers, and what it says of itself."""

from enum import StrEnum
from typing import TypeAlias

import msgspec


class Bitmap(msgspec.Struct, frozen=True):
    """A decoded picture: `height` rows of `width` pixels of `channels` bytes, 3 for RGB and 4 for RGBA with straight
    alpha, without padding."""

    width: int
    height: int
    channels: int
    data: bytes

    @property
    def is_sound(self) -> bool:
        """Whether the data is as long as the numbers say."""
        return self.channels in {3, 4} and len(self.data) == self.width * self.height * self.channels > 0


class ImageAbility(StrEnum):
    """What an image model can do.

    IMAGE_TO_IMAGE begins with a picture, INPAINT changes part of one, EDIT follows an instruction on what to change in
    one. REFERENCES are further pictures that it looks at. TRANSPARENCY makes RGBA pictures.
    """

    TEXT_TO_IMAGE = "text2image"
    IMAGE_TO_IMAGE = "img2img"
    INPAINT = "inpaint"
    EDIT = "edit"
    REFERENCES = "references"
    TRANSPARENCY = "transparency"


class ImageCard(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What is true of an image model: the caller reads here what it may ask for, and asks for nothing else.

    `width` and `height` are what the model draws best. Sides are multiples of `size_multiple`, from `min_side` to
    `max_side`, of `max_pixels` in all. `steps` and `guidance` are those it is made for; guidance 0 is none. `samplers` and
    `schedulers` are the names that it takes, the default first; empty: there is nothing to choose. `strength` is how much
    of a picture to change is redrawn, unless the request says. `max_references` are further pictures that one request
    may bring. `family` is the architecture, in lower case: "sdxl", "flux", "z-image".
    """

    name: str
    family: str = ""
    loader: str = ""
    width: int = 512
    height: int = 512
    size_multiple: int = 8
    min_side: int = 64
    max_side: int = 2048
    max_pixels: int = 4 * 2**20
    steps: int = 20
    guidance: float = 7.0
    strength: float = 0.75
    samplers: tuple[str, ...] = ()
    schedulers: tuple[str, ...] = ()
    abilities: tuple[ImageAbility, ...] = (ImageAbility.TEXT_TO_IMAGE,)
    max_references: int = 0
    uses_negative_prompt: bool = True
    size_bytes: int = 0
    gpu_bytes: int = 0

    def can(self, ability: ImageAbility) -> bool:
        return ability in self.abilities


class DescribeImageModel(msgspec.Struct, frozen=True, tag=True):
    """A question that the card answers."""


class DrawImages(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A question: one picture for each of `seeds`, which are below 2^63, in their order.

    `source` has the size of the picture. Without `mask` the picture begins with it: `strength`, above 0 to 1, says how
    much of it is redrawn, and 1 is nothing left; a model that can EDIT follows the prompt as an instruction instead. `mask`
    has one byte for each pixel of the source: 255 is drawn anew, 0 stays (what the engine does with those is discarded
    by the caller, which puts the source's own back). `references` may be of any size. `sampler` and `scheduler` are names of the
    card, or empty for the default. With `preview_every` each so many steps come with a preview; 0 is none.
    """

    prompt: str
    negative_prompt: str = ""
    width: int
    height: int
    steps: int
    guidance: float
    seeds: tuple[int, ...]
    sampler: str = ""
    scheduler: str = ""
    source: Bitmap | None = None
    mask: bytes | None = None
    strength: float = 0.75
    references: tuple[Bitmap, ...] = ()
    preview_every: int = 0
    is_transparent: bool = False

    @property
    def steps_to_do(self) -> int:
        """Steps that are computed for each picture: with a source to begin with, only the last part of all."""
        if self.source is None or self.mask is not None:
            return self.steps
        return max(1, min(self.steps, round(self.steps * self.strength)))


class StepDone(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """An answer: `step` of `steps`, counted from 1, of the picture number `index` is done. `preview` shows it as it is now, in
    any size."""

    index: int
    step: int
    steps: int
    preview: Bitmap | None = None


class ImageDone(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """An answer: the picture number `index`, of the size that was asked for, drawn with `seed`."""

    index: int
    seed: int
    bitmap: Bitmap


ImageQuestion: TypeAlias = DescribeImageModel | DrawImages
ImageAnswer: TypeAlias = StepDone | ImageDone | ImageCard
