"""What the left half of the Images tab does: draw, stop, rewrite the prompt."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.errors import BadRequest, ServiceError
from modules.media.images.requests import (
    DrawingBegun,
    DrawingStep,
    Encoding,
    FinishedImage,
    ImageRequest,
    MaskKind,
    Size,
)
from modules.ui.images.editor import source_of
from modules.ui.images.layout import ImageFormParts, ResultParts
from modules.ui.images.texts import done_html, progress_html, sides_for, waiting_html
from modules.ui.page.page import Page, failure, notify_errors
from modules.ui.shell.internals import cache_folder, kept_file

Shown = dict[Component, Any]
Entered = Mapping[Component, Any]

_BYTES: Final = 8
# So many previews of each picture; the last steps hardly differ.
_PREVIEWS: Final = 8
_NO_MODEL: Final = (
    "There is no model for pictures yet. Get one with `python3 one_click.py fetch image`, or put one into the folder "
    "`image_models` of the user data folder."
)


class DrawingHandlers:
    """Drawings of a tab run in its owner's name. They end with the page's event: with Stop, and when the tab is closed."""

    def __init__(self, page: Page, form: ImageFormParts, results: ResultParts) -> None:
        self._page = page
        self._form = form
        self._results = results
        self._images = page.runtime.images
        self._folder = cache_folder(results.pictures)

    async def opened(self) -> Shown:
        """For a browser that opens the page."""
        return {self._form.owner: f"page:images:{secrets.token_hex(_BYTES)}", **await self.stated()}

    async def stated(self) -> Shown:
        """Which model draws, and what it has to choose from. For who comes to the tab."""
        card = self._images.known_card()
        samplers = {self._form.sampler: gr.update(choices=["", *card.samplers])} if card is not None else {}
        return {self._results.model: await self._model_text(), **samplers}

    async def draw(self, entered: Entered) -> AsyncGenerator[Shown, None]:
        form, results = self._form, self._results
        request = await notify_errors(self._request(entered))
        owner = str(entered[form.owner] or "page:images")
        made: list[tuple[str, str]] = []
        began = time.monotonic()
        ahead = len(list(self._images.jobs))
        yield {**self._buttons(is_drawing=True), results.progress: waiting_html(ahead), results.pictures: []}
        try:
            async with aclosing(self._images.draw(request, owner=owner)) as events:
                async for event in events:
                    match event:
                        case DrawingBegun():
                            yield await self.stated()
                        case DrawingStep():
                            shown = progress_html(event.index, request.count, event.step, event.steps, event.preview)
                            yield {results.progress: shown}
                        case FinishedImage():
                            made.append((await self._shown(event), f"seed {event.seed}"))
                            yield {results.pictures: list(made)}
        except ServiceError as error:
            yield {**self._buttons(is_drawing=False), results.progress: ""}
            raise failure(error.message) from None
        status = done_html(len(made), time.monotonic() - began, is_stopped=len(made) < request.count)
        yield {**self._buttons(is_drawing=False), results.progress: status}

    async def stop(self, owner: str) -> None:
        """Within a step; pictures that are finished stay."""
        self._images.jobs.stop(owner)

    async def rewrite(self, prompt: str) -> str:
        """A richer prompt, by the chat model."""
        if not (prompt or "").strip():
            raise failure("Write a prompt first.")
        return await notify_errors(self._page.runtime.rewrite_image_prompt(prompt))

    async def reshape(self, ratio: str, width: float | None, height: float | None) -> tuple[Any, Any]:
        sides = sides_for(str(ratio or ""), width, height)
        return sides or (gr.skip(), gr.skip())

    async def swap(self, width: float | None, height: float | None) -> tuple[float | None, float | None]:
        return height, width

    async def _request(self, entered: Entered) -> ImageRequest:
        """Raises BadRequest."""
        form = self._form
        prompt = str(entered[form.prompt] or "").strip()
        source = await asyncio.to_thread(source_of, entered[form.editor])
        if not prompt and source is None:
            raise BadRequest("Write a prompt first.")
        settings = self._page.settings
        seed, count, guidance = entered[form.seed], entered[form.count], entered[form.guidance]
        request = ImageRequest(
            prompt=prompt,
            negative_prompt=str(entered[form.negative] or "").strip(),
            size=_size(entered[form.width], entered[form.height]),
            count=max(1, min(64, int(count or 1))),
            steps=int(entered[form.steps] or 0) or None,
            guidance=float(guidance) if guidance is not None and guidance >= 0 else None,
            seed=int(seed) if seed is not None and seed >= 0 else None,
            sampler=str(entered[form.sampler] or ""),
            previews=_PREVIEWS,
            encoding=Encoding(has_settings=settings.image_metadata),
            is_kept=settings.image_keep and not settings.multi_user,
        )
        if source is None:
            return request
        return replace(
            request,
            sources=(source.picture,),
            mask=source.mask,
            mask_kind=MaskKind.PAINTED,
            strength=float(entered[form.strength] or 0.75),
        )

    async def _shown(self, image: FinishedImage) -> str:
        """A copy from which Gradio serves it."""
        name = f"picture-{image.seed}.png"
        return await asyncio.to_thread(kept_file, image.data, name, self._folder)

    async def _model_text(self) -> str:
        card = self._images.known_card()
        if card is not None:
            return f"Model: {card.name}"
        names = await self._images.model_names()
        return "The model is loaded with the first picture." if names else _NO_MODEL

    def _buttons(self, *, is_drawing: bool) -> Shown:
        return {
            self._form.draw: gr.Button(visible=not is_drawing),
            self._form.stop: gr.Button(visible=is_drawing),
        }


def _size(width: float | None, height: float | None) -> Size | None:
    """One side alone is that of a square."""
    if not (width or height):
        return None
    return Size(int(width or height or 0), int(height or width or 0))
