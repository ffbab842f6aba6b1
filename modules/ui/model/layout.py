"""The components of the Model tab, and where they stand."""

from dataclasses import dataclass
from typing import Final, Literal

import gradio as gr

from modules.models.downloads.plan import LOADABLE
from modules.settings.values import Settings
from modules.ui.model.benchmark import BenchmarkParts, benchmark_parts
from modules.ui.model.parameters import LoadParameters
from modules.ui.model.upstreams import UpstreamParts, upstream_parts
from modules.ui.page.menus import name_menu

OWN_TEMPLATE: Final = "The model's own"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelParts:
    """The left half: what is on disk, and how it is loaded."""

    status: gr.Markdown
    loaded: gr.Dropdown
    models: gr.Dropdown
    refresh: gr.Button
    load: gr.Button
    unload: gr.Button
    save: gr.Button
    check: gr.Button
    waiting: gr.Row
    stop_replies: gr.Button
    give_up: gr.Button
    estimate: gr.Markdown
    template: gr.Dropdown
    adapters: gr.Dropdown
    apply: gr.Button
    benchmark: BenchmarkParts
    parameters: LoadParameters
    upstreams: UpstreamParts


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadParts:
    """The right half: what comes from the hub."""

    name: gr.Textbox
    files: gr.Dropdown
    listed: gr.Button
    download: gr.Button
    stop: gr.Button
    progress: gr.Markdown


def model_parts(settings: Settings) -> ModelParts:
    status = gr.Markdown("", elem_id="model-status", container=True)
    loaded = name_menu(
        label="Loaded models",
        info="Unload acts on the one selected here.",
        elem_id="loaded-models",
        visible=settings.models_max > 1,
    )
    with gr.Row(visible=False, elem_classes="tight", elem_id="waiting-for-replies") as waiting:
        stop_replies = _button("Stop replies and continue", "stop-replies", variant="stop")
        give_up = _button("Cancel", "give-up-load")
    models = name_menu(label="Model", elem_id="model-menu")
    with gr.Row(elem_classes="tight"):
        load = _button("Load", "load-model", variant="primary")
        unload = _button("Unload", "unload-model")
        save = _button("Remember for this model", "save-model-settings")
        check = _button("Verify file", "check-model")
        refresh = _button("Refresh", "refresh-models")
    estimate = gr.Markdown("", elem_id="model-estimate")
    parameters = LoadParameters(settings)
    template = name_menu(
        [OWN_TEMPLATE],
        value=OWN_TEMPLATE,
        label="Instruction template",
        info="Kept with Remember for this model.",
        elem_id="model-template",
    )
    adapters = name_menu(multiselect=True, label="LoRA adapters", elem_id="model-loras")
    apply = _button("Apply LoRA adapters", "apply-loras")
    return ModelParts(
        status=status,
        loaded=loaded,
        models=models,
        refresh=refresh,
        load=load,
        unload=unload,
        save=save,
        check=check,
        waiting=waiting,
        stop_replies=stop_replies,
        give_up=give_up,
        estimate=estimate,
        template=template,
        adapters=adapters,
        apply=apply,
        benchmark=benchmark_parts(),
        parameters=parameters,
        upstreams=upstream_parts(can_change=not settings.multi_user),
    )


def download_parts() -> DownloadParts:
    gr.Markdown("### Download from Hugging Face")
    name = gr.Textbox(
        label="Model",
        placeholder="owner/name, owner/name:Q4_K_M or a URL",
        info=f"{LOADABLE} models. Interrupted downloads resume.",
        elem_id="download-name",
        max_length=1024,
    )
    files = name_menu(multiselect=True, label="Files / quantization", elem_id="download-files")
    with gr.Row(elem_classes="tight"):
        listed = _button("Get file list", "list-files")
        download = _button("Download", "download-model", variant="primary")
        stop = _button("Stop", "stop-download")
    progress = gr.Markdown("", elem_id="download-progress")
    return DownloadParts(name=name, files=files, listed=listed, download=download, stop=stop, progress=progress)


def _button(label: str, name: str, variant: Literal["primary", "secondary", "stop"] = "secondary") -> gr.Button:
    return gr.Button(label, size="sm", variant=variant, min_width=90, elem_id=name)
