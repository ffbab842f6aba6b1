"""/sdapi/v1/*: pictures for front ends that speak to AUTOMATIC1111's web UI, by the same service."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from extensions.openai.access import Access
from extensions.openai.common.context import Caller, Context, CurrentCaller, CurrentContext
from extensions.openai.common.errors import Forbidden
from extensions.openai.common.middleware import JsonRoute
from extensions.openai.common.program import program_of
from extensions.openai.common.stream import while_connected
from extensions.openai.sdapi.inbound import UPSCALERS, chosen_model, img2img_request, txt2img_request
from extensions.openai.sdapi.outbound import progress_of, sd_images_body
from extensions.openai.sdapi.schema import (
    SdImages,
    SdImg2ImgRequest,
    SdModel,
    SdOptions,
    SdOptionsChange,
    SdProgress,
    SdSampler,
    SdScheduler,
    SdTxt2ImgRequest,
    SdUpscaler,
)
from modules.backends.imaging.messages import ImageCard
from modules.errors import NotInstalled
from modules.media.images.requests import ImageRequest
from modules.models.options import LoadOptions

router = APIRouter(prefix="/sdapi/v1", tags=["Images, as AUTOMATIC1111"], route_class=JsonRoute)
# Before any model of pictures was used, for front ends that fill their menus first.
_NO_CARD: Final = ImageCard(name="", samplers=("euler",), schedulers=("normal",))


@router.post("/txt2img", responses={200: {"model": SdImages}})
async def txt2img(body: SdTxt2ImgRequest, caller: CurrentCaller) -> Response:
    """Pictures from words."""
    card = await _card(caller, body)
    return await _drawn(caller, body, txt2img_request(body, caller.context.runtime.settings, card))


@router.post("/img2img", responses={200: {"model": SdImages}})
async def img2img(body: SdImg2ImgRequest, caller: CurrentCaller) -> Response:
    """Pictures from a picture, or with parts of it drawn anew."""
    card = await _card(caller, body)
    return await _drawn(caller, body, img2img_request(body, caller.context.runtime.settings, card))


async def _card(caller: Caller, body: SdTxt2ImgRequest) -> ImageCard:
    """Names of samplers and sizes depend on the model."""
    images = program_of(caller.context).images
    name = chosen_model(body)
    if name is None and (known := images.known_card()) is not None:
        return known
    return await while_connected(caller, images.card(name))


async def _drawn(caller: Caller, body: SdTxt2ImgRequest, request: ImageRequest) -> Response:
    events = program_of(caller.context).images.draw(request, owner=caller.owner)
    content = await while_connected(caller, sd_images_body(events, body, request))
    return Response(content, media_type="application/json")


@router.get("/progress")
async def progress(caller: CurrentCaller, *, skip_current_image: bool = False) -> SdProgress:
    """How far the caller's drawing is."""
    jobs = program_of(caller.context).images.jobs.of(caller.owner)
    drawing = next((job for job in jobs if job.is_drawing), None)
    return progress_of(drawing, len(jobs), has_preview=not skip_current_image)


@router.post("/interrupt")
@router.post("/skip", include_in_schema=False)
async def interrupt(caller: CurrentCaller) -> dict[str, bool]:
    """Ends the caller's drawings; each answers with the pictures that are finished."""
    program_of(caller.context).images.jobs.stop(caller.owner)
    return {}


@router.get("/options")
async def options(context: CurrentContext) -> SdOptions:
    """The model that draws."""
    names = await program_of(context).images.model_names()
    card = program_of(context).images.known_card()
    return SdOptions(sd_model_checkpoint=card.name if card is not None else (names or [""])[0])


@router.post("/options")
async def change_options(body: SdOptionsChange, http_request: Request, context: CurrentContext) -> None:
    """Loads another model, for callers with the admin key. Other options are not kept."""
    name = body.sd_model_checkpoint
    if not name or name == (await options(context)).sd_model_checkpoint:
        return
    if http_request.state.access is not Access.ADMIN:
        raise Forbidden("Only the admin key may load another model (--admin-key).", param="sd_model_checkpoint")
    await program_of(context).models.load(name, LoadOptions())


@router.get("/sd-models")
async def sd_models(context: CurrentContext) -> list[SdModel]:
    """Models for pictures."""
    return [
        SdModel(title=name, model_name=name, filename=name) for name in await program_of(context).images.model_names()
    ]


@router.get("/samplers")
async def samplers(context: CurrentContext) -> list[SdSampler]:
    """Those of the model that drew last."""
    card = await _card_or_none(context)
    return [SdSampler(name=name, aliases=[], options={}) for name in card.samplers]


@router.get("/schedulers")
async def schedulers(context: CurrentContext) -> list[SdScheduler]:
    """Likewise."""
    card = await _card_or_none(context)
    return [SdScheduler(name=name, label=name) for name in card.schedulers]


@router.get("/upscalers")
async def upscalers() -> list[SdUpscaler]:
    """What enlarges between the two passes of enable_hr."""
    return [SdUpscaler(name=name) for name in UPSCALERS]


@router.get("/latent-upscale-modes", include_in_schema=False)
@router.get("/sd-vae", include_in_schema=False)
@router.get("/loras", include_in_schema=False)
@router.get("/prompt-styles", include_in_schema=False)
@router.get("/hypernetworks", include_in_schema=False)
@router.get("/embeddings", include_in_schema=False)
async def none_of_these() -> list[str]:
    """There are none."""
    return []


@router.post("/refresh-checkpoints", include_in_schema=False)
async def refresh() -> None:
    """Models that are put into the folder are found without it."""


@router.get("/cmd-flags", include_in_schema=False)
@router.get("/memory", include_in_schema=False)
async def nothing() -> dict[str, str]:
    """Front ends ask, and show it."""
    return {}


async def _card_or_none(context: Context) -> ImageCard:
    """Loads the model if there is one, because front ends fill their menus once."""
    images = program_of(context).images
    if (known := images.known_card()) is not None:
        return known
    try:
        return await images.card()
    except NotInstalled:
        return _NO_CARD
