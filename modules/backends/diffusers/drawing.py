"""A loaded pipeline that draws: one picture after the other, cancelled between two blocks of a step."""

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import torch
from PIL import Image

from modules.backends.diffusers.folder import PipelineFolder
from modules.backends.diffusers.previews import LatentPreviews
from modules.backends.diffusers.samplers import made_scheduler, sampler_names, scheduler_names
from modules.backends.imaging.engine import Report, is_preview_due
from modules.backends.imaging.messages import Bitmap, DrawImages, ImageAbility, ImageCard, ImageDone, StepDone
from modules.engine.types import LoadSpec
from modules.errors import BadRequest
from modules.process.server import TaskCancelled

_CALLBACK: Final = "callback_on_step_end"
_PARTS: Final = ("transformer", "unet", "prior", "vae", "text_encoder", "text_encoder_2", "text_encoder_3")
_RGB: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipelines:
    """Of the same weights, for what is asked; None where the architecture cannot do it."""

    text: Any = None
    image: Any = None
    inpaint: Any = None
    edit: Any = None

    @property
    def all(self) -> tuple[Any, ...]:
        return tuple(each for each in (self.text, self.image, self.inpaint, self.edit) if each is not None)

    def chosen(self, request: DrawImages) -> Any:
        """Raises BadRequest for what the model cannot do."""
        if request.source is None:
            found, what = self.text, "draw without a picture to change"
        elif request.mask is not None:
            found, what = self.inpaint, "change a part of a picture"
        elif self.edit is not None:
            found, what = self.edit, ""
        else:
            found, what = self.image, "begin with a picture"
        if found is None:
            raise BadRequest(f"This model cannot {what}.", param="image")
        return found


class DiffusersModel:
    """Raises BadRequest from `draw` for what its card does not have."""

    def __init__(self, spec: LoadSpec, folder: PipelineFolder, pipelines: Pipelines, *, gpu_bytes: int = 0) -> None:
        self._family = folder.family
        self._pipelines = pipelines
        first = pipelines.all[0]
        self._scheduler = first.scheduler
        self._previews = LatentPreviews(first)
        self._stop = _StopAtBlocks(first)
        samplers = sampler_names(first.scheduler)
        self.card: Final = ImageCard(
            name=spec.name,
            family=folder.family.name,
            loader=spec.loader,
            width=folder.side,
            height=folder.side,
            size_multiple=folder.family.multiple,
            steps=folder.steps,
            guidance=folder.guidance,
            samplers=samplers,
            schedulers=scheduler_names(samplers),
            abilities=_abilities(pipelines, folder),
            max_references=folder.family.references,
            uses_negative_prompt=folder.family.uses_negative_prompt,
            size_bytes=folder.size,
            gpu_bytes=gpu_bytes,
        )

    def draw(self, request: DrawImages, report: Report, is_cancelled: Callable[[], bool]) -> None:
        pipeline = self._pipelines.chosen(request)
        # The last one of those that it was trained with is where some samplers end before the first step.
        most = int(self._scheduler.config.get("num_train_timesteps") or request.steps + 1) - 1
        if request.steps > most:
            raise BadRequest(f"This model takes {most} steps at most.", param="steps")
        for index, seed in enumerate(request.seeds):
            # Schedulers keep what they computed for the picture before.
            pipeline.scheduler = made_scheduler(self._scheduler, request.sampler, request.scheduler)
            progress = _Progress(request, index, report, self._previews, pipeline)
            with self._stop.whenever(is_cancelled), _released(pipeline), torch.inference_mode():
                made = pipeline(**self._arguments(pipeline, request, seed), **progress.arguments)
            report(ImageDone(index=index, seed=seed, bitmap=_bitmap(made.images[0], request)))

    def _arguments(self, pipeline: Any, request: DrawImages, seed: int) -> dict[str, Any]:
        """Those that this pipeline takes."""
        guidance = request.guidance if self._family.guidance_field == "guidance_scale" else max(1.0, request.guidance)
        given: dict[str, Any] = {
            "prompt": request.prompt,
            "width": request.width,
            "height": request.height,
            "num_inference_steps": request.steps,
            self._family.guidance_field: guidance,
            "negative_prompt": request.negative_prompt if self._family.uses_negative_prompt else "",
            # On the processor, so that a seed means the same picture on every device.
            "generator": torch.Generator("cpu").manual_seed(seed),
            "output_type": "pil",
        }
        if request.source is not None:
            given |= self._source_arguments(pipeline, request, request.source)
        known = inspect.signature(pipeline.__call__).parameters
        return {name: value for name, value in given.items() if name in known and value != ""} | {
            "prompt": request.prompt
        }

    def _source_arguments(self, pipeline: Any, request: DrawImages, source: Bitmap) -> dict[str, Any]:
        picture = _picture(source)
        if request.mask is not None:
            size = (source.width, source.height)
            return {"image": picture, "mask_image": Image.frombytes("L", size, request.mask), "strength": 1.0}
        if pipeline is self._pipelines.edit:
            pictures = [picture, *map(_picture, request.references)]
            return {"image": pictures if self._family.references else picture}
        return {"image": picture, "strength": _strength(request)}


class _Progress:
    """Reports each step of one picture."""

    def __init__(
        self, request: DrawImages, index: int, report: Report, previews: LatentPreviews, pipeline: Any
    ) -> None:
        self._request = request
        self._index = index
        self._report = report
        self._previews = previews
        self._done = 0
        self._has_callback = _CALLBACK in inspect.signature(pipeline.__call__).parameters

    @property
    def arguments(self) -> dict[str, Any]:
        return {_CALLBACK: self._on_step} if self._has_callback else {}

    def _on_step(self, pipeline: Any, step: int, _time: Any, values: dict[str, Any]) -> dict[str, Any]:
        """Some samplers compute several times for a step: it counts once."""
        request = self._request
        steps = request.steps_to_do
        computed = max(steps, int(getattr(pipeline, "num_timesteps", 0) or 0))
        done = min(steps, (step + 1) * steps // computed)
        if done > self._done:
            self._done = done
            preview = None
            if is_preview_due(request, done, steps) and "latents" in values:
                preview = self._previews.picture(values["latents"], request.width, request.height)
            self._report(StepDone(index=self._index, step=done, steps=steps, preview=preview))
        return values


class _StopAtBlocks:
    """Asks before each block of a network whether anybody still waits: a step can take minutes."""

    def __init__(self, pipeline: Any) -> None:
        self._is_cancelled: Callable[[], bool] = bool
        for name in _PARTS:
            part = getattr(pipeline, name, None)
            for module in part.modules() if isinstance(part, torch.nn.Module) else ():
                if isinstance(module, torch.nn.ModuleList):
                    for block in module:
                        block.register_forward_pre_hook(self._ask)

    @contextmanager
    def whenever(self, is_cancelled: Callable[[], bool]) -> Iterator[None]:
        self._is_cancelled = is_cancelled
        try:
            yield
        finally:
            self._is_cancelled = bool

    def _ask(self, _module: Any, _inputs: Any) -> None:
        if self._is_cancelled():
            raise TaskCancelled


@contextmanager
def _released(pipeline: Any) -> Iterator[None]:
    """What was brought to the card for a picture leaves it, also when drawing ends early."""
    try:
        yield
    except BaseException:
        with suppress(Exception):
            pipeline.maybe_free_model_hooks()
        raise


def _abilities(pipelines: Pipelines, folder: PipelineFolder) -> tuple[ImageAbility, ...]:
    found = {
        ImageAbility.TEXT_TO_IMAGE: pipelines.text is not None,
        ImageAbility.IMAGE_TO_IMAGE: pipelines.image is not None,
        ImageAbility.INPAINT: pipelines.inpaint is not None,
        ImageAbility.EDIT: pipelines.edit is not None,
        ImageAbility.REFERENCES: folder.family.references > 0,
    }
    return tuple(ability for ability, is_there in found.items() if is_there)


def _strength(request: DrawImages) -> float:
    """So that exactly as many steps are computed as the request counts, however the pipeline rounds."""
    share = request.steps_to_do / request.steps
    while share * request.steps < request.steps_to_do:
        share = math.nextafter(share, 2.0)
    return min(share, 1.0)


def _picture(bitmap: Bitmap) -> Image.Image:
    mode = "RGB" if bitmap.channels == _RGB else "RGBA"
    return Image.frombytes(mode, (bitmap.width, bitmap.height), bitmap.data).convert("RGB")


def _bitmap(picture: Image.Image, request: DrawImages) -> Bitmap:
    """Of the size that was asked for: some pipelines round it, or choose their own for an edit."""
    if picture.size != (request.width, request.height):
        picture = picture.resize((request.width, request.height), Image.Resampling.LANCZOS)
    return Bitmap(request.width, request.height, _RGB, picture.convert("RGB").tobytes())
