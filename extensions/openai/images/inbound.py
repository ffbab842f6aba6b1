"""Bodies of /v1/images/* → requests for pictures."""

from collections.abc import Iterable, Sequence
from typing import Final

from extensions.openai.images.schema import (
    DrawingFields,
    ImageEditRequest,
    ImageGenerationRequest,
    ImageReference,
    ImageVariationRequest,
    PictureFields,
    SourceOrReference,
)
from modules.errors import BadRequest, NotSupported
from modules.media.images.requests import MAX_PICTURES, MAX_SOURCES, Encoding, ImageFormat, ImageRequest, Quality
from modules.media.images.sizes import parse_size
from modules.settings.values import Settings

_VARIATION_STRENGTH: Final = 0.7


def generation_request(body: ImageGenerationRequest, settings: Settings) -> ImageRequest:
    """Raises BadRequest."""
    return _drawing(body, body.prompt, settings)


def edit_request(
    body: ImageEditRequest, settings: Settings, sources: Sequence[bytes], mask: bytes | None
) -> ImageRequest:
    """Raises BadRequest."""
    return _drawing(body, body.prompt, settings, sources=_checked(sources), mask=mask, strength=body.strength)


def variation_request(body: ImageVariationRequest, settings: Settings, sources: Sequence[bytes]) -> ImageRequest:
    """Raises BadRequest."""
    if len(sources) > 1:
        raise BadRequest("A variation is of one image.", param="image")
    return ImageRequest(
        prompt="",
        model=body.model,
        size=parse_size(body.size),
        count=body.n or 1,
        sources=_checked(sources),
        strength=_VARIATION_STRENGTH,
        encoding=_encoding(body, settings),
        is_kept=settings.image_keep_api,
    )


def references_of(*given: SourceOrReference | list[SourceOrReference] | None) -> list[str]:
    """The data URLs, base64 texts and addresses of a JSON body. Raises BadRequest and NotSupported."""
    found: list[str] = []
    for each in given:
        many: Iterable[SourceOrReference] = each if isinstance(each, list) else [] if each is None else [each]
        found += [_reference(one) for one in many]
    return found


def _reference(given: SourceOrReference) -> str:
    if isinstance(given, ImageReference):
        if given.file_id is not None:
            raise NotSupported("Files are not stored here. Send the image itself, as a data URL.", param="image")
        url = given.image_url.get("url") if isinstance(given.image_url, dict) else given.image_url
        if not isinstance(url, str):
            raise BadRequest("An image has no image_url.", param="image")
        return url
    return given


def _checked(sources: Sequence[bytes]) -> tuple[bytes, ...]:
    if not sources:
        raise BadRequest("'image' is missing.", param="image", code="missing_required_parameter")
    if len(sources) > MAX_SOURCES:
        raise BadRequest(f"{len(sources)} images were sent; {MAX_SOURCES} are the most.", param="image")
    return tuple(sources)


def _drawing(
    body: DrawingFields,
    prompt: str,
    settings: Settings,
    *,
    sources: tuple[bytes, ...] = (),
    mask: bytes | None = None,
    strength: float | None = None,
) -> ImageRequest:
    return ImageRequest(
        prompt=prompt,
        negative_prompt=body.negative_prompt or "",
        model=body.model,
        size=parse_size(body.size),
        count=_count(body),
        steps=body.steps or body.step,
        quality=body.quality or Quality.MEDIUM,
        guidance=body.cfg_scale,
        seed=body.seed if body.image_seed is None else body.image_seed,
        sampler=body.sampler or "",
        scheduler=body.scheduler or "",
        sources=sources,
        mask=mask,
        strength=strength,
        is_transparent=body.background == "transparent",
        previews=(body.partial_images or 0) if body.stream else 0,
        encoding=_encoding(body, settings),
        is_kept=settings.image_keep_api,
    )


def _count(body: DrawingFields) -> int:
    count = (body.batch_size or body.n or 1) * (body.batch_count or 1)
    if count > MAX_PICTURES:
        raise BadRequest(
            f"batch_size × batch_count is {count}; {MAX_PICTURES} pictures are the most of one request.",
            param="batch_count",
        )
    return count


def _encoding(body: PictureFields, settings: Settings) -> Encoding:
    quality = 100 if body.output_compression is None else body.output_compression
    return Encoding(body.output_format or ImageFormat.PNG, quality, has_settings=settings.image_metadata)
