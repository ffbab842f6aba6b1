"""What is asked of the image service, and what it says while it works."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

# Of one request, in all its batches.
MAX_PICTURES: Final = 64
MAX_SOURCES: Final = 16
MAX_PROMPT: Final = 32_000
SettingsOfPicture: TypeAlias = Mapping[str, str | int | float]


class Size(NamedTuple):
    """In pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


class Quality(StrEnum):
    """How many steps, where the request does not count them."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"
    MAX = "max"


class ImageFormat(StrEnum):
    """Of the finished file."""

    PNG = "png"
    WEBP = "webp"
    JPEG = "jpeg"

    @property
    def mime(self) -> str:
        return f"image/{self.value}"


class MaskKind(StrEnum):
    """What a mask says with: ALPHA draws anew what is fully transparent in it, LUMA what is white, DARK what is black, and
    PAINTED what is not transparent, if there is anything: a layer that was painted on."""

    ALPHA = "alpha"
    LUMA = "luma"
    DARK = "dark"
    PAINTED = "painted"


@dataclass(frozen=True, slots=True)
class Encoding:
    """`quality`, 0 to 100, is for WebP and JPEG. With `has_settings` a PNG says in a text how it was made."""

    format: ImageFormat = ImageFormat.PNG
    quality: int = 100
    has_settings: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondPass:
    """Each finished picture is enlarged to `size`, and drawn anew on itself as `strength` says. `steps` None: as many as in
    the first pass, of which the last part is computed."""

    size: Size
    steps: int | None = None
    strength: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """What is None is the model's own choice. `seed` is that of the first picture, the next one has the next; None is
    any. Sizes are rounded down to what the model draws.

    `sources` are pictures as files: the first is changed, further ones are looked at. `mask`, a file too, says what of it
    is drawn anew, with edges that fade over `mask_blur` pixels; without one, fully transparent parts of the source do.
    `stretches` says that a source of another shape than `size` is distorted rather than cut. `previews` are wanted while
    a picture is drawn, so many at most. `is_kept` puts the pictures into the gallery.
    """

    prompt: str
    negative_prompt: str = ""
    model: str | None = None
    size: Size | None = None
    count: int = 1
    steps: int | None = None
    quality: Quality = Quality.MEDIUM
    guidance: float | None = None
    seed: int | None = None
    sampler: str = ""
    scheduler: str = ""
    sources: tuple[bytes, ...] = field(default=(), repr=False)
    mask: bytes | None = field(default=None, repr=False)
    mask_kind: MaskKind = MaskKind.ALPHA
    mask_blur: int = 0
    strength: float | None = None
    second_pass: SecondPass | None = None
    stretches: bool = False
    is_transparent: bool = False
    previews: int = 0
    encoding: Encoding = Encoding()
    is_kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingBegun:
    """The model is there and has what it needs. `size` is that of the finished pictures, `seeds` has one for each."""

    model: str
    size: Size
    steps: int
    seeds: tuple[int, ...]
    is_transparent: bool
    source_sizes: tuple[Size, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingStep:
    """`step` of `steps`, counted from 1, of the picture number `index`. `preview` is a file of the request's format."""

    index: int
    step: int
    steps: int
    preview: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedImage:
    """`data` is a file. `settings` say how it was made, in the words of `image_gen_settings`. `name` is that in the gallery,
    empty if it is not kept."""

    index: int
    seed: int
    size: Size
    data: bytes = field(repr=False)
    settings: SettingsOfPicture = field(repr=False)
    name: str = ""


DrawingEvent: TypeAlias = DrawingBegun | DrawingStep | FinishedImage
