"""Bodies of /v1/images/*: OpenAI's fields, and those of local servers beside them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field

from extensions.openai.common.field_types import Anything, Integer, Number, RequestModel
from modules.media.images.requests import MAX_PICTURES, MAX_PROMPT, ImageFormat, Quality

_QUALITIES: Final[Mapping[str, Quality]] = MappingProxyType(
    {"auto": Quality.MEDIUM, "standard": Quality.MEDIUM, "hd": Quality.HIGH} | {word.value: word for word in Quality}
)
_FORMATS: Final[Mapping[str, ImageFormat]] = MappingProxyType(
    {"auto": ImageFormat.PNG, "jpg": ImageFormat.JPEG} | {form.value: form for form in ImageFormat}
)


def _word(value: object) -> object:
    """Nothing for an empty one."""
    return (value.strip().lower() or None) if isinstance(value, str) else value


def _quality(value: object) -> object:
    word = _word(value)
    return _QUALITIES.get(word, word) if isinstance(word, str) else word


def _format(value: object) -> object:
    word = _word(value)
    return _FORMATS.get(word, word) if isinstance(word, str) else word


def _none_below_one(value: object) -> object:
    """What clients write where they leave a number to the server."""
    if isinstance(value, str):
        return None if value.strip() in {"", "0", "-1"} else value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return None if is_number and value in {0, -1} else value


def _none_below_zero(value: object) -> object:
    if isinstance(value, str):
        return None if value.strip() in {"", "-1"} else value
    return None if value == -1 and not isinstance(value, bool) else value


Count = Annotated[Annotated[Integer, Field(ge=1, le=MAX_PICTURES)] | None, BeforeValidator(_none_below_one)]
Steps = Annotated[Annotated[Integer, Field(ge=1, le=500)] | None, BeforeValidator(_none_below_one)]
Guidance = Annotated[Annotated[Number, Field(ge=0, le=100)] | None, BeforeValidator(_none_below_zero)]
Seed = Annotated[Annotated[Integer, Field(ge=0, lt=2**63)] | None, BeforeValidator(_none_below_zero)]
Strength = Annotated[Annotated[Number, Field(gt=0, le=1)] | None, BeforeValidator(_none_below_zero)]
Prompt = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT)]
MoreText = Annotated[str | None, Field(max_length=MAX_PROMPT)]
Size = Annotated[str | None, Field(max_length=40)]
Source = Annotated[str, Field(max_length=2**27)]


class ImageReference(RequestModel):
    """A picture in a JSON body."""

    image_url: Source | dict[str, Anything] | None = None
    file_id: str | None = None


SourceOrReference = Source | ImageReference


class PictureFields(RequestModel):
    """What all three requests may say."""

    model: str | None = Field(None, description="An image model; any other name means the default one.")
    n: Annotated[Annotated[Integer, Field(ge=1, le=10)] | None, BeforeValidator(_none_below_one)] = Field(
        None, description="Pictures, up to 10."
    )
    size: Size = Field(
        None, description="WIDTHxHEIGHT, rounded down to what the model draws; auto, as without it, is the model's own."
    )
    response_format: Annotated[Literal["url", "b64_json"] | None, BeforeValidator(_word)] = Field(
        None, description="b64_json without it; url gives data URLs."
    )
    output_format: Annotated[ImageFormat | None, BeforeValidator(_format)] = Field(None, description="png without it.")
    output_compression: Annotated[Integer, Field(ge=0, le=100)] | None = Field(
        None, description="Quality of WebP and JPEG, 100 without it."
    )
    user: Anything = Field(None, description="Accepted, without effect.")


class DrawingFields(PictureFields):
    """What generations and edits may say."""

    quality: Annotated[Quality | None, BeforeValidator(_quality)] = Field(
        None,
        description="Multiplies the model's own number of steps: low by 0.5, high or hd by 1.5, xhigh by 1.75, max by 2.",
    )
    background: Annotated[Literal["transparent", "opaque", "auto"] | None, BeforeValidator(_word)] = Field(
        None, description="transparent, for models that can."
    )
    stream: bool | None = Field(None, description="Server-sent events, with previews if partial_images asks for them.")
    partial_images: Annotated[Integer, Field(ge=0, le=3)] | None = Field(None, description="Previews of each picture.")
    negative_prompt: MoreText = Field(None, description="What should not be in the picture.")
    steps: Steps = Field(None, description="The model's own number without it.")
    step: Steps = Field(None, description="The same.")
    cfg_scale: Guidance = Field(None, description="How closely the prompt is followed; 0 for models without guidance.")
    image_seed: Seed = Field(None, description="Of the first picture, the next one has the next; -1 is any.")
    seed: Seed = Field(None, description="The same.")
    batch_size: Count = Field(None, description="Wins over n.")
    batch_count: Count = Field(None, description="So many times batch_size pictures.")
    sampler: str | None = Field(None, description="One of /sdapi/v1/samplers.")
    scheduler: str | None = Field(None, description="One of /sdapi/v1/schedulers.")
    rewrite_prompt: bool | None = Field(
        None, description="Lets the chat model describe the picture in more detail first."
    )
    style: Anything = Field(None, description="Accepted, without effect.")
    moderation: Anything = Field(None, description="Accepted, without effect.")
    safety_identifier: Anything = Field(None, description="Accepted, without effect.")


class ImageGenerationRequest(DrawingFields):
    """The body of a request for pictures."""

    prompt: Prompt = Field(description="What to draw.")


class ImageEditRequest(DrawingFields):
    """What is to be changed in a picture, as JSON or as a form."""

    prompt: Prompt = Field(description="What to draw, or for models that follow instructions what to change.")
    image: SourceOrReference | list[SourceOrReference] | None = Field(
        None, description="Data URLs, base64 or addresses. The first is changed, others are looked at. In forms, files."
    )
    images: list[SourceOrReference] | None = Field(None, description="The same.")
    mask: SourceOrReference | None = Field(None, description="What is fully transparent in it is drawn anew.")
    strength: Strength = Field(None, description="How much of the picture is redrawn, above 0 to 1.")
    input_fidelity: Anything = Field(None, description="Accepted, without effect.")


class ImageVariationRequest(PictureFields):
    """Asks for pictures like another."""

    image: SourceOrReference | list[SourceOrReference] | None = Field(
        None, description="A data URL, base64 or an address. In forms, a file."
    )


class ImageObject(BaseModel):
    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = None
    seed: int


class ImageInputTokens(BaseModel):
    text_tokens: int
    image_tokens: int


class ImagesUsage(BaseModel):
    """Text tokens are about four bytes each; a picture counts a token for each 16 × 16 pixels."""

    input_tokens: int
    input_tokens_details: ImageInputTokens
    output_tokens: int
    output_tokens_details: ImageInputTokens
    total_tokens: int


class ImagesResponse(BaseModel):
    created: int
    model: str
    data: list[ImageObject]
    background: Literal["transparent", "opaque"]
    output_format: ImageFormat
    quality: Quality
    size: str
    usage: ImagesUsage
