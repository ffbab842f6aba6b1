"""Finished pictures and the progress of drawings → bodies of /sdapi/v1/*."""

import base64
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson

from extensions.openai.sdapi.schema import SdProgress, SdState, SdTxt2ImgRequest
from modules.media.images.jobs import ImageJob
from modules.media.images.requests import DrawingBegun, DrawingEvent, FinishedImage, ImageRequest


async def sd_images_body(
    events: AsyncGenerator[DrawingEvent, None], body: SdTxt2ImgRequest, request: ImageRequest
) -> bytes:
    """The pictures that were finished: after an interrupt there may be fewer, or none."""
    begun: DrawingBegun | None = None
    images: list[FinishedImage] = []
    async with aclosing(events):
        async for event in events:
            if isinstance(event, DrawingBegun):
                begun = event
            elif isinstance(event, FinishedImage):
                images.append(event)
    sends = body.send_images is not False
    answer = {
        "images": [base64.b64encode(image.data).decode() for image in images] if sends else [],
        "parameters": body.model_dump(exclude_none=True, exclude={"init_images", "mask"}),
        "info": json.dumps(_info(request, begun, images), ensure_ascii=False),
    }
    return orjson.dumps(answer)


def _info(request: ImageRequest, begun: DrawingBegun | None, images: list[FinishedImage]) -> dict[str, object]:
    seeds = [image.seed for image in images]
    first = images[0].settings if images else {}
    return {
        "prompt": request.prompt,
        "all_prompts": [request.prompt] * len(images),
        "negative_prompt": request.negative_prompt,
        "all_negative_prompts": [request.negative_prompt] * len(images),
        "seed": seeds[0] if seeds else -1,
        "all_seeds": seeds,
        "width": begun.size.width if begun else 0,
        "height": begun.size.height if begun else 0,
        "sampler_name": request.sampler,
        "cfg_scale": first.get("image_cfg_scale", 0),
        "steps": first.get("image_steps", 0),
        "batch_size": request.count,
        "sd_model_name": begun.model if begun else "",
        "infotexts": [_infotext(image) for image in images],
        "job_timestamp": time.strftime("%Y%m%d%H%M%S"),
    }


def _infotext(image: FinishedImage) -> str:
    """In the form that tools of that web UI read."""
    settings = image.settings
    lines = [str(settings["image_prompt"])]
    if negative := settings["image_neg_prompt"]:
        lines.append(f"Negative prompt: {negative}")
    first = settings.get("image_first_size")
    twice = f", Denoising strength: {settings['image_strength']}, Hires resize: {image.size}" if first else ""
    lines.append(
        f"Steps: {settings['image_steps']}, CFG scale: {settings['image_cfg_scale']}, Seed: {image.seed}, "
        f"Size: {first or image.size}, Model: {settings['model']}{twice}"
    )
    return "\n".join(lines)


def progress_of(job: ImageJob | None, count: int, *, has_preview: bool) -> SdProgress:
    """`job` is the one that is drawn, of the caller's `count`; None: there is none."""
    if job is None:
        state = SdState(interrupted=False, job="", job_count=count, job_no=0, sampling_step=0, sampling_steps=0)
        return SdProgress(progress=0, eta_relative=0, state=state)
    share, seconds = job.share, time.monotonic() - job.began
    state = SdState(
        interrupted=job.is_stopped,
        job=f"picture {min(job.index + 1, job.count)} of {job.count}",
        job_count=max(count, job.count - job.index),
        job_no=job.index,
        sampling_step=job.step,
        sampling_steps=job.steps,
    )
    preview = base64.b64encode(job.preview).decode() if has_preview and job.preview else None
    left = seconds * (1 - share) / share if share else 0
    return SdProgress(progress=round(share, 4), eta_relative=round(left, 2), state=state, current_image=preview)
