"""Brings up a pipeline in its own process: offline, from safetensors, without code that a folder brings along."""

from pathlib import Path
from typing import Final

from modules.backends.base import read_options
from modules.backends.diffusers.folder import PipelineFolder, read_pipeline_folder
from modules.backends.diffusers.options import DiffusersOptions
from modules.backends.imaging.engine import ServedImageModel, model_card
from modules.backends.imaging.messages import ImageCard, ImageQuestion
from modules.backends.pytorch import prepare_pytorch
from modules.engine.protocols import ReportProgress
from modules.engine.types import LoadSpec, ModelCard


class DiffusersLoader:
    questions: Final = ImageQuestion

    def probe(self, spec: LoadSpec) -> ModelCard:
        folder = read_pipeline_folder(Path(spec.path))
        read_options(DiffusersOptions, spec)
        return model_card(_first_card(spec, folder), spec)

    def load(self, spec: LoadSpec, report: ReportProgress) -> ServedImageModel:
        folder = read_pipeline_folder(Path(spec.path))
        prepare_pytorch(spec.threads)
        from modules.backends.diffusers.loading import load_pipeline  # noqa: PLC0415

        model = load_pipeline(spec, folder, read_options(DiffusersOptions, spec))
        report(1.0)
        return ServedImageModel(model, spec)


def _first_card(spec: LoadSpec, folder: PipelineFolder) -> ImageCard:
    """What the files tell; the pipeline tells what it can do."""
    return ImageCard(name=spec.name, family=folder.family.name or folder.pipeline, size_bytes=folder.size)
