"""What the gallery of the Images tab does: list, choose, use again, delete."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.errors import NotFound, ServiceError
from modules.library.text_files import read_bytes
from modules.media.images.metadata import aspect_ratio, settings_of
from modules.media.images.requests import SettingsOfPicture
from modules.ui.images.layout import PAGE, GalleryParts, ImageFormParts
from modules.ui.images.texts import number, settings_html, text
from modules.ui.page.access import check_saves
from modules.ui.page.page import Page, notify_errors
from modules.ui.page.thumbnails import small_jpeg
from modules.ui.shell.internals import cache_folder, kept_file

Shown = dict[Component, Any]
_MAX_BYTES: Final = 64 * 2**20


class GalleryHandlers:
    """A name that a browser sends back is looked up in the folder, whatever was shown. With --multi-user nothing is kept,
    and nothing of the owner's is shown."""

    def __init__(self, page: Page, parts: GalleryParts, form: ImageFormParts) -> None:
        self._page = page
        self._parts = parts
        self._form = form
        self._gallery = page.runtime.images.gallery
        self._folder = cache_folder(parts.pictures)

    async def shown(self, first: int) -> Shown:
        """The page that begins with that picture."""
        return await notify_errors(self._listed(max(0, first)))

    async def older(self, first: int) -> Shown:
        return await self.shown(first + PAGE)

    async def newer(self, first: int) -> Shown:
        return await self.shown(first - PAGE)

    async def choose(self, names: Sequence[str], event: gr.SelectData) -> Shown:
        """Shows one of the pictures, and how it was made."""
        place = event.index if isinstance(event.index, int) else -1
        if not 0 <= place < len(names):
            return {}
        return await notify_errors(self._chosen(names[place]))

    async def reuse(self, chosen: str) -> Shown:
        """Its settings, in the form."""
        settings = await notify_errors(self._checked(lambda: self._gallery.settings(chosen)))
        return self.filled(settings)

    async def edit(self, chosen: str) -> Shown:
        """The picture itself, as the one to be changed, with its settings."""
        path = await notify_errors(self._checked(lambda: self._gallery.path_of(chosen)))
        return {
            **await self.reuse(chosen),
            self._form.editor: {"background": str(path), "layers": [], "composite": None},
        }

    async def read(self, file: str | None) -> Shown:
        """Fills the form from a picture of the user's."""
        if not file:
            return {}
        content = await asyncio.to_thread(read_bytes, Path(file), limit=_MAX_BYTES)
        settings = settings_of(content)
        return {self._parts.settings: settings_html(settings), **(self.filled(settings) if settings else {})}

    async def ask(self) -> gr.Button:
        return gr.Button(visible=True)

    async def delete(self, chosen: str, first: int) -> Shown:
        await notify_errors(self._checked(lambda: self._gallery.delete([chosen])))
        return {**self._nothing_chosen(), **await self.shown(first)}

    def filled(self, settings: SettingsOfPicture) -> Shown:
        form = self._form
        width, height = number(settings, "image_width"), number(settings, "image_height")
        strength = number(settings, "image_strength")
        return {
            form.prompt: text(settings, "image_prompt"),
            form.negative: text(settings, "image_neg_prompt"),
            form.ratio: aspect_ratio(int(width), int(height)) if width and height else "Custom",
            form.width: width or 0,
            form.height: height or 0,
            form.steps: number(settings, "image_steps") or 0,
            form.guidance: number(settings, "image_cfg_scale", -1),
            form.seed: number(settings, "image_seed", -1),
            form.sampler: text(settings, "image_sampler"),
            form.strength: gr.skip() if strength is None else strength,
        }

    async def _listed(self, first: int) -> Shown:
        parts = self._parts
        if self._page.settings.multi_user:
            return {parts.names: [], parts.pictures: []}
        page = await asyncio.to_thread(self._gallery.page, first, PAGE)
        if first and not page.names:
            return await self._listed(max(0, first - PAGE))
        small = await asyncio.to_thread(lambda: [(name, self._thumbnail(name)) for name in page.names])
        shown = [(name, file) for name, file in small if file]
        return {
            parts.names: [name for name, _ in shown],
            parts.first: first,
            parts.pictures: gr.Gallery(value=[file for _, file in shown], selected_index=None),
            parts.newer: gr.Button(interactive=first > 0),
            parts.older: gr.Button(interactive=page.has_more),
        }

    async def _chosen(self, name: str) -> Shown:
        parts = self._parts
        path = await self._checked(lambda: self._gallery.path_of(name))
        settings = await self._checked(lambda: self._gallery.settings(name))
        copy = await asyncio.to_thread(self._copied, path)
        return {
            parts.chosen: name,
            parts.picture: copy,
            parts.settings: settings_html(settings),
            parts.actions: gr.Row(visible=True),
            parts.download: gr.DownloadButton(value=copy),
            parts.confirm: gr.Button(visible=False),
        }

    def _nothing_chosen(self) -> Shown:
        parts = self._parts
        return {
            parts.chosen: "",
            parts.picture: None,
            parts.settings: "",
            parts.actions: gr.Row(visible=False),
            parts.confirm: gr.Button(visible=False),
        }

    async def _checked(self, act: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever it gives
        check_saves(self._page.settings)
        return await asyncio.to_thread(act)

    def _copied(self, path: Path) -> str:
        return kept_file(read_bytes(path, limit=_MAX_BYTES), path.name, self._folder)

    def _thumbnail(self, name: str) -> str:
        """The path of a small copy; empty for what is no picture."""
        try:
            path = self._gallery.path_of(name)
            small = small_jpeg(read_bytes(path, limit=_MAX_BYTES))
        except (ServiceError, NotFound, OSError):
            return ""
        return kept_file(small, f"{path.stem}.jpg", self._folder) if small else ""
