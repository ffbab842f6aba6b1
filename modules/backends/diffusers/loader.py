"""Brings up a pipeline: offline, from safetensors, without code that a folder brings along."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from modules.backends.base import read_options
from modules.backends.diffusers.folder import PipelineFolder, read_pipeline_folder
from modules.backends.diffusers.options import DiffusersOptions
from modules.backends.imaging.engine import ImageModel, answers
from modules.backends.imaging.messages import ImageQuestion
from modules.backends.pytorch import prepare_pytorch
from modules.engine.protocols import ReportProgress
from modules.engine.types import LoadSpec, ModelCard, ModelKind
from modules.process.server import Task


class DiffusersLoader:
    questions: Final = ImageQuestion

    def probe(self, spec: LoadSpec) -> ModelCard:
        read_options(DiffusersOptions, spec)
        return _card(spec, read_pipeline_folder(Path(spec.path)))

    def load(self, spec: LoadSpec, report: ReportProgress) -> "ServedPipeline":
        folder = read_pipeline_folder(Path(spec.path))
        prepare_pytorch(spec.threads)
        from modules.backends.diffusers.loading import load_pipeline  # noqa: PLC0415

        model = load_pipeline(spec, folder, read_options(DiffusersOptions, spec))
        report(1.0)
        return ServedPipeline(model, replace(_card(spec, folder), gpu_bytes=model.card.gpu_bytes))


class ServedPipeline:
    """`model` as the process of a media engine serves it."""

    def __init__(self, model: ImageModel, card: ModelCard) -> None:
        self._model = model
        self.card: Final = card

    def answer(self, question: ImageQuestion, task: Task) -> Iterable[object]:
        return answers(self._model, question, task)


def _card(spec: LoadSpec, folder: PipelineFolder) -> ModelCard:
    return ModelCard(
        name=spec.name,
        loader=spec.loader,
        context=0,
        vocabulary=0,
        kind=ModelKind.IMAGE,
        architecture=folder.family.name or folder.pipeline,
        size_bytes=folder.size,
        modalities=("image",),
    )
