"""The components of the Model tab, and where they stand."""

from dataclasses import dataclass
from typing import Final

import gradio as gr

from modules.settings import Settings
from modules.ui.model_parameters import Parameters

OWN_TEMPLATE: Final = "The model's own"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelParts:
    """The left half: what is on disk, and how it is loaded."""

    status: gr.Markdown
    models: gr.Dropdown
    refresh: gr.Button
    load: gr.Button
    unload: gr.Button
    save: gr.Button
    check: gr.Button
    estimate: gr.Markdown
    template: gr.Dropdown
    adapters: gr.Dropdown
    apply: gr.Button
    parameters: Parameters


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
    with gr.Row(equal_height=True):
        models = gr.Dropdown([], label="Model", elem_id="model-menu", scale=4, filterable=True)
        refresh = gr.Button("Refresh", size="sm", min_width=80, elem_id="refresh-models")
    with gr.Row(elem_classes="tight"):
        load = gr.Button("Load", variant="primary", elem_id="load-model")
        unload = gr.Button("Unload", elem_id="unload-model")
        save = gr.Button("Save settings", elem_id="save-model-settings")
        check = gr.Button("Check files", elem_id="check-model")
    estimate = gr.Markdown("", elem_id="model-estimate")
    parameters = Parameters(settings)
    template = gr.Dropdown(
        [OWN_TEMPLATE],
        value=OWN_TEMPLATE,
        label="Instruction template",
        info="Kept for this model by Save settings, and used from then on.",
        elem_id="model-template",
    )
    with gr.Row(equal_height=True):
        adapters = gr.Dropdown([], multiselect=True, label="LoRA adapters", elem_id="model-loras", scale=4)
        apply = gr.Button("Apply", size="sm", min_width=80, elem_id="apply-loras")
    return ModelParts(
        status=status,
        models=models,
        refresh=refresh,
        load=load,
        unload=unload,
        save=save,
        check=check,
        estimate=estimate,
        template=template,
        adapters=adapters,
        apply=apply,
        parameters=parameters,
    )


def download_parts() -> DownloadParts:
    gr.Markdown("### Download from Hugging Face")
    name = gr.Textbox(
        label="Model",
        placeholder="owner/name, owner/name:branch or an address",
        info="GGUF and safetensors. What was fetched of an unfinished download is not fetched again.",
        elem_id="download-name",
        max_length=1024,
    )
    files = gr.Dropdown([], multiselect=True, label="Only these files", elem_id="download-files")
    with gr.Row(elem_classes="tight"):
        listed = gr.Button("Get file list", elem_id="list-files")
        download = gr.Button("Download", variant="primary", elem_id="download-model")
        stop = gr.Button("Stop", variant="stop", elem_id="stop-download")
    progress = gr.Markdown("", elem_id="download-progress")
    return DownloadParts(name=name, files=files, listed=listed, download=download, stop=stop, progress=progress)
