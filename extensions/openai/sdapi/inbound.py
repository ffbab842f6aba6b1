"""Bodies of /sdapi/v1/* → requests for pictures."""

import re
from collections.abc import Sequence
from typing import Final

from extensions.openai.sdapi.schema import SdImg2ImgRequest, SdTxt2ImgRequest
from modules.backends.imaging.messages import ImageCard
from modules.errors import BadRequest, NotSupported
from modules.media.images.requests import MAX_PICTURES, Encoding, ImageRequest, MaskKind, SecondPass, Size
from modules.media.pictures.data_urls import bytes_in
from modules.settings.values import Settings

# Shown by front ends that ask how far it is.
_PREVIEWS: Final = 4
_OFF: Final = frozenset({"", "automatic", "default", "none"})
_LEAST_STRENGTH: Final = 0.01
# How pictures are enlarged between two passes, and how much where nothing is said.
UPSCALERS: Final = ("Lanczos",)
_SCALE: Final = 2.0


def txt2img_request(body: SdTxt2ImgRequest, settings: Settings, card: ImageCard) -> ImageRequest:
    """Raises BadRequest, NotSupported."""
    return _request(body, settings, card)


def img2img_request(body: SdImg2ImgRequest, settings: Settings, card: ImageCard) -> ImageRequest:
    """Raises BadRequest, NotSupported."""
    if len(body.init_images) > 1:
        raise NotSupported("init_images has several pictures. Send one request for each.", param="init_images")
    sources = tuple(bytes_in(picture, param="init_images") for picture in body.init_images)
    mask = bytes_in(body.mask, param="mask") if body.mask else None
    return _request(body, settings, card, sources, mask, body)


def chosen_model(body: SdTxt2ImgRequest) -> str | None:
    name = (body.override_settings or {}).get("sd_model_checkpoint")
    return name if isinstance(name, str) and name else None


def named(wanted: str | None, names: Sequence[str], param: str) -> str:
    """The model's own spelling of a name such as "Euler a"; empty for its default. Raises BadRequest."""
    plain = _plain(wanted or "")
    if plain in _OFF:
        return ""
    found = next((name for name in names if _plain(name) == plain), None)
    if found is None:
        raise BadRequest(f"There is no {param} of that name. Choose one of: {', '.join(names) or 'none'}.", param=param)
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9+]", "", name.lower())


def _request(
    body: SdTxt2ImgRequest,
    settings: Settings,
    card: ImageCard,
    sources: tuple[bytes, ...] = (),
    mask: bytes | None = None,
    source_fields: SdImg2ImgRequest | None = None,
) -> ImageRequest:
    for name in ("restore_faces", "tiling"):
        if getattr(body, name):
            raise NotSupported(f"{name} is not supported. Leave it out.", param=name)
    if body.enable_hr and sources:
        raise NotSupported("enable_hr is for pictures from words. Leave it out.", param="enable_hr")
    count = (body.batch_size or 1) * (body.n_iter or 1)
    if count > MAX_PICTURES:
        raise BadRequest(f"batch_size × n_iter is {count}; {MAX_PICTURES} are the most.", param="n_iter")
    is_inverted = source_fields is not None and bool(source_fields.inpainting_mask_invert)
    blur = source_fields.mask_blur if source_fields is not None else None
    size = _size(body, card, has_source=bool(sources))
    # Nothing redrawn at all is no drawing.
    strength = None if body.denoising_strength is None else max(_LEAST_STRENGTH, body.denoising_strength)
    return ImageRequest(
        prompt=body.prompt or "",
        negative_prompt=body.negative_prompt or "",
        model=chosen_model(body),
        size=size,
        count=count,
        steps=body.steps or None,
        guidance=body.cfg_scale,
        seed=body.seed,
        sampler=named(body.sampler_name or body.sampler_index, card.samplers, "sampler_name"),
        scheduler=named(body.scheduler, card.schedulers, "scheduler"),
        sources=sources,
        mask=mask,
        mask_kind=MaskKind.DARK if is_inverted else MaskKind.LUMA,
        mask_blur=blur or 0,
        strength=strength,
        second_pass=_second_pass(body, size, strength) if body.enable_hr and size is not None else None,
        stretches=source_fields is not None and not source_fields.resize_mode,
        previews=_PREVIEWS,
        encoding=Encoding(has_settings=settings.image_metadata),
        is_kept=settings.image_keep_api,
    )


def _second_pass(body: SdTxt2ImgRequest, first: Size, strength: float | None) -> SecondPass:
    named(body.hr_upscaler, UPSCALERS, "hr_upscaler")
    width, height = body.hr_resize_x or 0, body.hr_resize_y or 0
    scale = width / first.width or height / first.height or body.hr_scale or _SCALE
    size = Size(width or round(first.width * scale), height or round(first.height * scale))
    return SecondPass(size=size, steps=body.hr_second_pass_steps or None, strength=strength)


def _size(body: SdTxt2ImgRequest, card: ImageCard, *, has_source: bool) -> Size | None:
    if not (body.width or body.height) and has_source:
        return None
    return Size(body.width or card.width, body.height or card.height)
