"""A loaded model of stable-diffusion.cpp that draws, and what its library calls back meanwhile.

Two versions of the library are in use, one for each half of the Python versions: what only one of them has is asked for by
name. Its log is never listened to: while it loads it holds Python's lock, and a line from one of its threads would wait
for that for ever.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from cyllama import sd

from modules.backends.imaging.engine import Report, is_preview_due
from modules.backends.imaging.messages import Bitmap, DrawImages, ImageAbility, ImageCard, ImageDone, StepDone
from modules.backends.stable_diffusion_cpp.files import ImageModelFiles
from modules.backends.stable_diffusion_cpp.options import StableDiffusionCppOptions
from modules.backends.stable_diffusion_cpp.samplers import sampler_names, scheduler_names
from modules.backends.stable_diffusion_cpp.spec import UNTILED_PIXELS
from modules.backends.stable_diffusion_cpp.steps import strength_of
from modules.engine.types import LoadSpec
from modules.errors import BadRequest, EngineFailed
from modules.process.server import TaskCancelled

_RGB: Final = 3
_LARGE: Final = 4 * 2**20
# Attention without flash attention takes memory by the square of it.
_MODERATE: Final = 2 * 2**20


class StableDiffusionCppModel:
    """`context` is the library's, of the model in `files`."""

    def __init__(
        self, spec: LoadSpec, files: ImageModelFiles, options: StableDiffusionCppOptions, context: Any
    ) -> None:
        family = files.family
        self._context = context
        self._family = family
        self._tiling = options.sd_cpp_vae_tiling
        self._samplers = sampler_names(sd.SampleMethod, int(context.get_default_sample_method()))
        self._schedulers = scheduler_names(sd.Scheduler, int(context.get_default_scheduler()))
        abilities = [ImageAbility.TEXT_TO_IMAGE, ImageAbility.IMAGE_TO_IMAGE, ImageAbility.INPAINT]
        abilities += [ImageAbility.EDIT] if family.is_editor else []
        abilities += [ImageAbility.REFERENCES] if family.references else []
        self.card: Final = ImageCard(
            name=spec.name,
            family=family.name,
            loader=spec.loader,
            width=family.side,
            height=family.side,
            size_multiple=family.multiple,
            max_pixels=_LARGE if options.sd_cpp_flash_attention else _MODERATE,
            steps=family.steps,
            guidance=family.guidance,
            samplers=tuple(self._samplers),
            schedulers=tuple(self._schedulers),
            abilities=tuple(abilities),
            max_references=family.references,
            uses_negative_prompt=not family.is_guided,
            size_bytes=files.size,
        )

    def draw(self, request: DrawImages, report: Report, is_cancelled: Callable[[], bool]) -> None:
        for index, seed in enumerate(request.seeds):
            if is_cancelled():
                raise TaskCancelled
            progress = _Progress(request, index, report, is_cancelled, self._context)
            with progress.listening():
                bitmap = self._drawn(request, seed, progress)
            report(ImageDone(index=index, seed=seed, bitmap=bitmap))

    def _drawn(self, request: DrawImages, seed: int, progress: "_Progress") -> Bitmap:
        parameters, _pictures = self._parameters(request, seed)
        try:
            made = self._context.generate_with_params(parameters)
        except RuntimeError as error:
            if progress.is_cancelled:
                raise TaskCancelled from error
            raise EngineFailed(
                "stable-diffusion.cpp could not draw the picture. Try a smaller size, or another sampler."
            ) from error
        if progress.is_cancelled:
            raise TaskCancelled
        return _bitmap(made[0], request)

    def _parameters(self, request: DrawImages, seed: int) -> tuple[Any, list[Any]]:
        """With the pictures that the library reads, which have to live as long. Raises BadRequest."""
        made = sd.SDImageGenParams(
            prompt=request.prompt,
            negative_prompt="" if self._family.is_guided else request.negative_prompt,
            width=request.width,
            height=request.height,
            seed=seed,
            batch_count=1,
            sample_steps=request.steps,
            strength=strength_of(request),
        )
        sampling = made.sample_params
        # 1 is the prompt alone, without a second computation for each step.
        sampling.cfg_scale = 1.0 if self._family.is_guided or request.guidance <= 0 else request.guidance
        sampling.distilled_guidance = request.guidance
        sampling.sample_method = _chosen(sd.SampleMethod, self._samplers, request.sampler, "sampler")
        sampling.scheduler = _chosen(sd.Scheduler, self._schedulers, request.scheduler, "scheduler")
        made.sample_params = sampling
        is_large = request.width * request.height > UNTILED_PIXELS
        made.vae_tiling_enabled = self._tiling == "on" or (self._tiling == "auto" and is_large)
        return made, self._with_pictures(made, request)

    def _with_pictures(self, parameters: Any, request: DrawImages) -> list[Any]:
        if request.source is None:
            return []
        pictures = [_picture(request.source), *map(_picture, request.references)]
        if self._family.is_editor and request.mask is None:
            parameters.set_ref_images(pictures)
            return pictures
        parameters.set_init_image(pictures[0])
        if request.mask is not None:
            shape = (request.source.height, request.source.width)
            mask = sd.SDImage.from_numpy(np.frombuffer(request.mask, np.uint8).reshape(shape).copy())
            parameters.set_mask_image(mask)
            pictures.append(mask)
        return pictures


class _Progress:
    """Reports each step of one picture. No exception passes through the library, so that one of `report` is kept and tells
    it to stop."""

    def __init__(
        self, request: DrawImages, index: int, report: Report, is_cancelled: Callable[[], bool], context: Any
    ) -> None:
        self._request = request
        self._index = index
        self._report = report
        self._asks = is_cancelled
        self._cancel: Callable[[], None] | None = getattr(context, "cancel", None)
        self._steps = request.steps_to_do
        self._done = 0
        self._preview: Bitmap | None = None
        self.is_cancelled = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """There is one listener in the process."""
        every = self._request.preview_every
        sd.set_progress_callback(self._on_step)
        if every:
            sd.set_preview_callback(self._on_preview, mode=sd.PreviewMode.PROJ, interval=every)
        try:
            yield
        finally:
            sd.set_progress_callback(None)
            sd.set_preview_callback(None)

    def _on_preview(self, _step: int, frames: list[Any], _is_noisy: bool) -> None:
        """It comes before its step is told. The library uses the memory again afterwards."""
        if frames:
            pixels = np.array(frames[0].to_numpy(), np.uint8, copy=True)[..., :_RGB]
            self._preview = Bitmap(pixels.shape[1], pixels.shape[0], _RGB, pixels.tobytes())

    def _on_step(self, step: int, steps: int, _seconds: float) -> None:
        """Tiles of the decoder are told in the same way, by other numbers."""
        if self.is_cancelled or self._asks():
            self._stop()
        elif steps == self._steps and step > self._done:
            self._done = step
            preview = self._preview if is_preview_due(self._request, step, steps) else None
            try:
                self._report(StepDone(index=self._index, step=step, steps=steps, preview=preview))
            except TaskCancelled:
                self._stop()

    def _stop(self) -> None:
        self.is_cancelled = True
        if self._cancel is not None:
            self._cancel()


def _chosen(kind: Any, names: dict[str, int], name: str, param: str) -> Any:
    """The first of `names` for none. Raises BadRequest for one that there is not."""
    if name and name not in names:
        raise BadRequest(f"The {param} {name[:40]} is unknown. Choose one of: {', '.join(names)}.", param=param)
    return kind(names[name or next(iter(names))])


def _picture(bitmap: Bitmap) -> Any:
    """The library wants memory that may be written."""
    pixels = np.frombuffer(bitmap.data, np.uint8).reshape(bitmap.height, bitmap.width, bitmap.channels)
    return sd.SDImage.from_numpy(np.array(pixels[..., :_RGB], order="C", copy=True))


def _bitmap(picture: Any, request: DrawImages) -> Bitmap:
    pixels = np.asarray(picture.to_numpy(), np.uint8)[..., :_RGB]
    if pixels.shape[:2] != (request.height, request.width):
        raise EngineFailed("stable-diffusion.cpp drew another size than it was asked for. Choose a multiple of 64.")
    return Bitmap(request.width, request.height, _RGB, pixels.tobytes())
