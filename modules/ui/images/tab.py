"""The Images tab: its components, and which event of which component does what."""

from typing import Final

import gradio as gr

from modules.ui.images.drawing import DrawingHandlers
from modules.ui.images.gallery import GalleryHandlers
from modules.ui.images.layout import GalleryParts, ImageFormParts, ResultParts, form_parts, gallery_parts, result_parts
from modules.ui.page.page import Page
from modules.ui.shell.internals import current_tab

# On a phone the pictures stand below the form.
_TO_PROGRESS: Final = "() => document.getElementById('image-model')?.scrollIntoView({block: 'nearest'})"
_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}


def build_images(page: Page) -> None:
    """To be called within the tab."""
    tab = current_tab()
    with gr.Tabs(elem_id="image-tabs") as tabs:
        with gr.Tab("Generate", id="generate-images"), gr.Row():
            with gr.Column(scale=2, min_width=320):
                form = form_parts()
            with gr.Column(scale=3, min_width=320):
                results = result_parts()
        with gr.Tab("Gallery", id="image-gallery-tab", visible=not page.settings.multi_user) as gallery_tab:
            gallery = gallery_parts(gallery_tab)
    drawing = DrawingHandlers(page, form, results)
    page.on_open(drawing.opened, [form.owner, results.model, form.sampler])
    tab.select(drawing.stated, None, [results.model, form.sampler], **_QUIET)
    _connect_form(form, results, drawing)
    _connect_gallery(gallery, form, GalleryHandlers(page, gallery, form), tabs)


def _connect_form(form: ImageFormParts, results: ResultParts, drawing: DrawingHandlers) -> None:
    outputs = [form.draw, form.stop, results.progress, results.pictures, results.model, form.sampler]
    form.draw.click(None, None, None, js=_TO_PROGRESS, api_visibility="private")
    form.draw.click(drawing.draw, form.entered, outputs, **_QUIET)
    form.stop.click(drawing.stop, [form.owner], None, **_QUIET)
    form.rewrite.click(drawing.rewrite, [form.prompt], [form.prompt], api_visibility="private")
    form.ratio.input(drawing.reshape, [form.ratio, form.width, form.height], [form.width, form.height], **_QUIET)
    form.swap.click(drawing.swap, [form.width, form.height], [form.width, form.height], **_QUIET)


def _connect_gallery(parts: GalleryParts, form: ImageFormParts, handlers: GalleryHandlers, tabs: gr.Tabs) -> None:
    parts.tab.select(handlers.shown, [parts.first], parts.listed, **_QUIET)
    parts.refresh.click(handlers.shown, [parts.first], parts.listed, **_QUIET)
    parts.older.click(handlers.older, [parts.first], parts.listed, **_QUIET)
    parts.newer.click(handlers.newer, [parts.first], parts.listed, **_QUIET)
    parts.pictures.select(handlers.choose, [parts.names], parts.detail, **_QUIET)
    parts.delete.click(handlers.ask, None, [parts.confirm], **_QUIET)
    parts.confirm.click(handlers.delete, [parts.chosen, parts.first], [*parts.listed, *parts.detail], **_QUIET)

    def to_form() -> gr.Tabs:
        return gr.Tabs(selected="generate-images")

    reused = parts.reuse.click(handlers.reuse, [parts.chosen], form.settings, **_QUIET)
    reused.success(to_form, None, [tabs], **_QUIET)
    edited = parts.edit.click(handlers.edit, [parts.chosen], [*form.settings, form.editor], **_QUIET)
    edited.success(to_form, None, [tabs], **_QUIET)
    read = parts.read.upload(handlers.read, [parts.read], [parts.settings, *form.settings], **_QUIET)
    read.success(to_form, None, [tabs], **_QUIET)
