"""A request and what a model's card says → what the engine is asked. Pure."""

import secrets
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import msgspec

from modules.backends.imaging.messages import Bitmap, DrawImages, ImageAbility, ImageCard
from modules.errors import BadRequest, NotSupported
from modules.media.images.codec_messages import OpenedPictures
from modules.media.images.metadata import aspect_ratio
from modules.media.images.requests import ImageFormat, ImageRequest, Quality, SettingsOfPicture, Size
from modules.media.images.sizes import drawable, kept, near

_STEPS: Final = MappingProxyType(
    {Quality.LOW: 0.5, Quality.MEDIUM: 1.0, Quality.HIGH: 1.5, Quality.XHIGH: 1.75, Quality.MAX: 2.0}
)
# Everywhere a seed has room, JSON numbers of browsers included.
_ANY_SEED: Final = 2**53
_MAX_SEED: Final = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """`drawn` is the size that the engine is asked for, `finished` that of the pictures."""

    request: ImageRequest
    card: ImageCard
    drawn: Size
    finished: Size
    steps: int
    guidance: float
    strength: float
    seeds: tuple[int, ...]
    uses_mask: bool
    is_transparent: bool
    is_twice: bool = False

    @property
    def made(self) -> Size:
        """The size of what the engine makes last."""
        return self.finished if self.is_twice else self.drawn

    def second_question(self, first: DrawImages, source: Bitmap) -> DrawImages:
        """What `first` made, larger, drawn anew."""
        second = self.request.second_pass
        assert second is not None
        width, height = self.finished
        return msgspec.structs.replace(
            first,
            width=width,
            height=height,
            steps=second.steps or self.steps,
            source=source,
            strength=self.strength,
        )

    def question(self, source: Bitmap | None, mask: bytes | None, references: tuple[Bitmap, ...]) -> DrawImages:
        request = self.request
        asked = DrawImages(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            width=self.drawn.width,
            height=self.drawn.height,
            steps=self.steps,
            guidance=self.guidance,
            seeds=self.seeds,
            sampler=request.sampler,
            scheduler=request.scheduler,
            source=source,
            mask=mask,
            strength=self.strength,
            references=references,
            is_transparent=self.is_transparent,
        )
        if not request.previews:
            return asked
        # The last step needs none: so many at most, at equal distances.
        every = max(1, -(-asked.steps_to_do // (request.previews + 1)))
        return msgspec.structs.replace(asked, preview_every=every)

    def settings(self, seed: int) -> SettingsOfPicture:
        """What makes the picture with that seed again."""
        request = self.request
        settings: dict[str, str | int | float] = {
            "image_prompt": request.prompt,
            "image_neg_prompt": request.negative_prompt,
            "image_width": self.finished.width,
            "image_height": self.finished.height,
            "image_aspect_ratio": aspect_ratio(*self.finished),
            "image_steps": self.steps,
            "image_seed": seed,
            "image_cfg_scale": self.guidance,
            "model": self.card.name,
        }
        if request.sources or self.is_twice:
            settings["image_strength"] = self.strength
        if self.is_twice:
            settings["image_first_size"] = str(self.drawn)
        named = {"image_sampler": request.sampler, "image_scheduler": request.scheduler}
        return {**settings, **{name: value for name, value in named.items() if value}}


def planned(request: ImageRequest, card: ImageCard, opened: OpenedPictures | None) -> Drawing:
    """Raises BadRequest and NotSupported, naming the field, for what the model cannot do."""
    uses_mask = opened is not None and opened.has_mask and (request.mask is not None or _can_paint(card))
    _refuse_abilities(request, card, opened, uses_mask=uses_mask)
    drawn, finished = _sizes(request, card, opened, uses_mask=uses_mask)
    second = request.second_pass
    if second is not None:
        finished = drawable(second.size, card)
    strength = request.strength if second is None else second.strength
    return Drawing(
        request=request,
        card=card,
        drawn=drawn,
        finished=finished,
        steps=request.steps or max(1, round(card.steps * _STEPS[request.quality])),
        guidance=card.guidance if request.guidance is None else request.guidance,
        strength=card.strength if strength is None else strength,
        seeds=_seeds(request),
        uses_mask=uses_mask,
        is_transparent=request.is_transparent,
        is_twice=second is not None,
    )


def _can_paint(card: ImageCard) -> bool:
    return card.can(ImageAbility.INPAINT)


def _refuse_abilities(
    request: ImageRequest, card: ImageCard, opened: OpenedPictures | None, *, uses_mask: bool
) -> None:
    can, name = card.can, card.name
    if opened is None and not can(ImageAbility.TEXT_TO_IMAGE):
        raise NotSupported(f"{name} only changes pictures. Send one to /v1/images/edits.", param="model")
    if uses_mask and not _can_paint(card):
        raise NotSupported(f"{name} cannot change parts of pictures. Leave out the mask.", param="mask")
    if opened is not None and not uses_mask and not (can(ImageAbility.IMAGE_TO_IMAGE) or can(ImageAbility.EDIT)):
        raise NotSupported(f"{name} makes no pictures out of others. Choose another model.", param="image")
    if request.second_pass is not None and not can(ImageAbility.IMAGE_TO_IMAGE):
        raise NotSupported(f"{name} makes no pictures out of others. Leave out enable_hr.", param="enable_hr")
    others = len(opened.sizes) - 1 if opened is not None else 0
    most = card.max_references if can(ImageAbility.REFERENCES) else 0
    if others > most:
        raise NotSupported(
            f"{name} takes {1 + most} image{'s' * bool(most)} at most; there are {1 + others}.", param="image"
        )
    if request.is_transparent and not can(ImageAbility.TRANSPARENCY):
        raise NotSupported(f"{name} draws no transparent background.", param="background")
    if request.is_transparent and request.encoding.format is ImageFormat.JPEG:
        raise BadRequest("JPEG has no transparency. Choose output_format png or webp.", param="background")
    _refuse_name(request.sampler, card.samplers, "sampler", name)
    _refuse_name(request.scheduler, card.schedulers, "scheduler", name)


def _refuse_name(wanted: str, names: tuple[str, ...], what: str, model: str) -> None:
    if wanted and wanted not in names:
        offered = ", ".join(names) or "none to choose from"
        raise BadRequest(f"{model} has no {what} {wanted[:40]!a}. It has {offered}.", param=what)


def _sizes(
    request: ImageRequest, card: ImageCard, opened: OpenedPictures | None, *, uses_mask: bool
) -> tuple[Size, Size]:
    """Of what is drawn, and of the finished picture: one whose parts are changed keeps its own size."""
    if request.size is not None:
        size = drawable(request.size, card)
        return size, size
    if opened is None:
        size = Size(card.width, card.height)
        return size, size
    source = Size(*opened.sizes[0])
    size = near(source, card)
    return size, kept(source) if uses_mask else size


def _seeds(request: ImageRequest) -> tuple[int, ...]:
    first = secrets.randbelow(_ANY_SEED) if request.seed is None else request.seed
    return tuple((first + index) % _MAX_SEED for index in range(request.count))
