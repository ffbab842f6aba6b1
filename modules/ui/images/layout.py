"""The components of the Images tab, and where they stand."""

from dataclasses import dataclass
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.ui.images.editor import mask_editor
from modules.ui.page.menus import name_menu

RATIOS: Final = ("Custom", "1:1 Square", "16:9 Landscape", "9:16 Portrait", "4:3 Landscape")
PAGE: Final = 32
_MAX_PROMPT: Final = 32_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFormParts:
    """What is asked for. `owner` is in whose name the tab's drawings run."""

    owner: gr.State
    prompt: gr.Textbox
    negative: gr.Textbox
    draw: gr.Button
    stop: gr.Button
    rewrite: gr.Button
    ratio: gr.Dropdown
    width: gr.Number
    height: gr.Number
    swap: gr.Button
    steps: gr.Number
    guidance: gr.Number
    seed: gr.Number
    count: gr.Number
    sampler: gr.Dropdown
    strength: gr.Slider
    editor: gr.ImageEditor

    @property
    def entered(self) -> set[Component]:
        return {*self.settings, self.owner, self.count, self.editor}

    @property
    def settings(self) -> list[Component]:
        """What settings of a picture are filled into."""
        return [
            self.prompt,
            self.negative,
            self.ratio,
            self.width,
            self.height,
            self.steps,
            self.guidance,
            self.seed,
            self.sampler,
            self.strength,
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultParts:
    """What comes of it: the model, how far it is, and the pictures. `made` are their names or files, in order."""

    model: gr.Markdown
    progress: gr.HTML
    pictures: gr.Gallery


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryParts:
    """Pictures of earlier times. `names` are those that are shown, `chosen` the one whose settings are, `first` the number of
    the first one."""

    tab: gr.Tab
    names: gr.State
    chosen: gr.State
    first: gr.State
    newer: gr.Button
    older: gr.Button
    refresh: gr.Button
    pictures: gr.Gallery
    picture: gr.Image
    settings: gr.HTML
    actions: gr.Row
    reuse: gr.Button
    edit: gr.Button
    download: gr.DownloadButton
    delete: gr.Button
    confirm: gr.Button
    read: gr.UploadButton

    @property
    def listed(self) -> list[Component]:
        return [self.names, self.first, self.pictures, self.newer, self.older]

    @property
    def detail(self) -> list[Component]:
        return [self.chosen, self.picture, self.settings, self.actions, self.download, self.confirm]


def form_parts() -> ImageFormParts:
    owner = gr.State("")
    prompt = _prompt("Prompt", "image-prompt", lines=3, placeholder="Describe the picture")
    with gr.Row(elem_classes="tight"):
        draw = _button("Generate", "draw", variant="primary")
        stop = _button("Stop", "stop-drawing", variant="stop", visible=False)
        rewrite = _button("Rewrite prompt", "rewrite-prompt")
    negative = _prompt("Negative prompt", "image-negative", lines=1)
    with gr.Row(elem_classes="tight", equal_height=True):
        width = _number("Width", "image-width", 0, "0 = model default", minimum=0, step=8, precision=0)
        height = _number("Height", "image-height", 0, "0 = model default", minimum=0, step=8, precision=0)
    with gr.Row(elem_classes="tight"):
        ratio = gr.Dropdown(list(RATIOS), value=RATIOS[0], label="Aspect ratio", min_width=140, elem_id="image-ratio")
        swap = _button("Swap width and height", "swap-sides")
    with gr.Row(elem_classes="tight", equal_height=True):
        steps = _number("Steps", "image-steps", 0, "0 = model default", minimum=0, maximum=500, precision=0)
        guidance = _number("CFG scale", "image-cfg", -1, "-1 = model default", minimum=-1, maximum=100)
        sampler = name_menu(label="Sampler", info="Empty = default", min_width=110, elem_id="image-sampler")
    with gr.Row(elem_classes="tight", equal_height=True):
        seed = _number("Seed", "image-seed", -1, "-1 = random", minimum=-1, precision=0)
        count = _number("Pictures", "image-count", 1, "Each has the next seed", minimum=1, maximum=64, precision=0)
    editor, strength = _source()
    return ImageFormParts(
        owner=owner,
        prompt=prompt,
        negative=negative,
        draw=draw,
        stop=stop,
        rewrite=rewrite,
        ratio=ratio,
        width=width,
        height=height,
        swap=swap,
        steps=steps,
        guidance=guidance,
        seed=seed,
        count=count,
        sampler=sampler,
        strength=strength,
        editor=editor,
    )


def _source() -> tuple[gr.ImageEditor, gr.Slider]:
    with gr.Accordion("Change a picture", open=False, elem_id="image-source"):
        editor = mask_editor()
        strength = gr.Slider(
            0.05,
            1,
            value=0.75,
            step=0.05,
            label="Strength",
            info="How much of the picture is redrawn where nothing is painted over.",
            elem_id="image-strength",
        )
    return editor, strength


def result_parts() -> ResultParts:
    model = gr.Markdown("", elem_id="image-model")
    progress = gr.HTML("", apply_default_css=False, elem_id="image-progress")
    pictures = gr.Gallery(
        label="Pictures",
        columns=2,
        height="auto",
        object_fit="contain",
        interactive=False,
        buttons=["download", "fullscreen"],
        elem_id="image-results",
    )
    return ResultParts(model=model, progress=progress, pictures=pictures)


def gallery_parts(tab: gr.Tab) -> GalleryParts:
    names, chosen, first = gr.State([]), gr.State(""), gr.State(0)
    with gr.Row(elem_classes="tight"):
        newer = _button("Newer", "newer-images", interactive=False)
        older = _button("Older", "older-images", interactive=False)
        refresh = _button("Refresh", "refresh-images")
        read = gr.UploadButton(
            "Settings of a file", file_types=[".png"], size="sm", min_width=110, elem_id="read-image"
        )
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            pictures = _thumbnails()
        with gr.Column(scale=2, min_width=300):
            picture = gr.Image(
                label="Picture", show_label=False, interactive=False, buttons=["fullscreen"], elem_id="chosen-image"
            )
            with gr.Row(visible=False, elem_classes="tight") as actions:
                reuse = _button("Use these settings again", "reuse-image", variant="primary")
                edit = _button("Change it", "edit-image")
                download = gr.DownloadButton("Download", size="sm", min_width=90, elem_id="download-image")
                delete = _button("Delete", "delete-image")
                confirm = _button("Delete for good", "confirm-delete-image", variant="stop", visible=False)
            settings = gr.HTML("", apply_default_css=False, elem_id="image-settings")
    return GalleryParts(
        tab=tab,
        names=names,
        chosen=chosen,
        first=first,
        newer=newer,
        older=older,
        refresh=refresh,
        pictures=pictures,
        picture=picture,
        settings=settings,
        actions=actions,
        reuse=reuse,
        edit=edit,
        download=download,
        delete=delete,
        confirm=confirm,
        read=read,
    )


def _thumbnails() -> gr.Gallery:
    return gr.Gallery(
        label="Gallery",
        show_label=False,
        columns=4,
        height="auto",
        object_fit="cover",
        interactive=False,
        allow_preview=False,
        buttons=[],
        elem_id="image-gallery",
    )


def _prompt(label: str, name: str, **traits: Any) -> gr.Textbox:  # noqa: ANN401 - Gradio's own
    return gr.Textbox(label=label, max_lines=8, max_length=_MAX_PROMPT, elem_id=name, **traits)


def _number(label: str, name: str, value: int, info: str, **traits: Any) -> gr.Number:  # noqa: ANN401 - Gradio's own
    return gr.Number(value, label=label, info=info, min_width=110, elem_id=name, **traits)


def _button(label: str, name: str, **traits: Any) -> gr.Button:  # noqa: ANN401 - Gradio's own
    return gr.Button(label, size="sm", min_width=90, elem_id=name, **traits)
