"""Bodies of /sdapi/v1/*, as front ends write them for AUTOMATIC1111's web UI."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from extensions.openai.common.field_types import Anything, Integer, Number, RequestModel

_MAX_TEXT = 32_000


def _as_seed(value: object) -> object:
    """-1, an empty text and null mean any."""
    return None if value in {-1, "-1", ""} and not isinstance(value, bool) else value


class SdTxt2ImgRequest(RequestModel):
    """Pictures from words."""

    prompt: Annotated[str | None, Field(max_length=_MAX_TEXT)] = None
    negative_prompt: Annotated[str | None, Field(max_length=_MAX_TEXT)] = None
    steps: Annotated[int, Field(ge=0, le=500)] | None = None
    cfg_scale: Annotated[Number, Field(ge=0, le=100)] | None = None
    width: Annotated[int, Field(ge=0, le=16_384)] | None = None
    height: Annotated[int, Field(ge=0, le=16_384)] | None = None
    seed: Annotated[Annotated[Integer, Field(ge=0, lt=2**63)] | None, BeforeValidator(_as_seed)] = None
    sampler_name: str | None = None
    sampler_index: str | None = Field(None, description="The older name of sampler_name.")
    scheduler: str | None = None
    batch_size: Annotated[int, Field(ge=1, le=64)] | None = None
    n_iter: Annotated[int, Field(ge=1, le=64)] | None = None
    denoising_strength: Annotated[Number, Field(ge=0, le=1)] | None = None
    override_settings: dict[str, Anything] | None = Field(None, description="Of these, sd_model_checkpoint.")
    send_images: bool | None = None
    enable_hr: bool | None = Field(None, description="Draws each picture twice: small, then enlarged, on itself.")
    hr_scale: Annotated[Number, Field(ge=0, le=8)] | None = Field(None, description="How much it is enlarged; 2.")
    hr_resize_x: Annotated[int, Field(ge=0, le=16_384)] | None = Field(None, description="The width, in its place.")
    hr_resize_y: Annotated[int, Field(ge=0, le=16_384)] | None = Field(None, description="The height, likewise.")
    hr_second_pass_steps: Annotated[int, Field(ge=0, le=500)] | None = Field(None, description="0: as many as steps.")
    hr_upscaler: str | None = Field(None, description="One of /sdapi/v1/upscalers.")
    restore_faces: bool | None = Field(None, description="Refused.")
    tiling: bool | None = Field(None, description="Refused.")


class SdImg2ImgRequest(SdTxt2ImgRequest):
    """Pictures from a picture."""

    init_images: Annotated[list[str], Field(min_length=1, max_length=16)]
    mask: str | None = Field(None, description="What is white in it is drawn anew.")
    inpainting_mask_invert: bool | None = Field(None, description="What is black, then.")
    mask_blur: Annotated[int, Field(ge=0, le=256)] | None = None
    resize_mode: Annotated[int, Field(ge=0, le=3)] | None = Field(None, description="0 distorts, 1 cuts.")


class SdImages(BaseModel):
    """`info` is JSON as a text."""

    images: list[str]
    parameters: dict[str, Anything]
    info: str


class SdOptions(BaseModel):
    sd_model_checkpoint: str
    samples_format: Literal["png"] = "png"
    CLIP_stop_at_last_layers: int = 1


class SdOptionsChange(RequestModel):
    """Of A1111's options, the one that is one here."""

    sd_model_checkpoint: str | None = None


class SdModel(BaseModel):
    title: str
    model_name: str
    hash: str | None = None
    sha256: str | None = None
    filename: str
    config: str | None = None


class SdSampler(BaseModel):
    name: str
    aliases: list[str]
    options: dict[str, str]


class SdScheduler(BaseModel):
    name: str
    label: str
    aliases: list[str] | None = None


class SdState(BaseModel):
    skipped: bool = False
    interrupted: bool
    job: str
    job_count: int
    job_no: int
    sampling_step: int
    sampling_steps: int


class SdProgress(BaseModel):
    progress: float
    eta_relative: float
    state: SdState
    current_image: str | None = None
    textinfo: str | None = None


class SdUpscaler(BaseModel):
    name: str
    model_name: str | None = None
    model_path: str | None = None
    model_url: str | None = None
    scale: float = 4
