"""Brings up the encoder of a folder on ONNX Runtime."""

from pathlib import Path
from typing import Any, Final

import onnxruntime as ort

from modules.backends.base import read_options
from modules.backends.cores import usable_cores
from modules.backends.encoders.backend import TOKENS_OF_A_STEP, TOKENS_OF_A_STEP_ON_GPU, EncoderBackend
from modules.backends.encoders.card import encoder_card
from modules.backends.encoders.folder import EncoderFolder, read_folder
from modules.backends.encoders.options import EncoderOptions
from modules.backends.encoders.tokenizer import FolderTokenizer
from modules.backends.onnx.encoder import EncoderSession
from modules.backends.onnx.graph_file import graph_of
from modules.backends.onnx.pooling import VectorHead
from modules.engine.protocols import ReportProgress
from modules.engine.types import LoadSpec, ModelCard
from modules.errors import LoadFailed

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"


class OnnxLoader:
    def probe(self, spec: LoadSpec) -> ModelCard:
        folder = read_folder(Path(spec.path))
        _providers(spec)
        return _card(spec, folder, FolderTokenizer(folder.path))

    def load(self, spec: LoadSpec, report: ReportProgress) -> EncoderBackend:
        folder = read_folder(Path(spec.path))
        tokenizer = FolderTokenizer(folder.path)
        card = _card(spec, folder, tokenizer)
        providers = _providers(spec)
        separator = card.pair_frame[1][0] if card.pair_frame and card.pair_frame[1] else -1
        encoder = EncoderSession(
            folder, graph_of(Path(spec.path)), threads=usable_cores(), providers=providers, separator=separator
        )
        report(1.0)
        step = TOKENS_OF_A_STEP if providers == [CPU] else TOKENS_OF_A_STEP_ON_GPU
        return EncoderBackend(encoder, tokenizer, card, step)


def _card(spec: LoadSpec, folder: EncoderFolder, tokenizer: FolderTokenizer) -> ModelCard:
    if folder.unknown_modules:
        raise LoadFailed(f"This model has a module {folder.unknown_modules[0]!r}, which this loader cannot compute.")
    hidden = int(folder.config.get("hidden_size") or 0)
    size = folder.size if folder.is_classifier else VectorHead(folder.pooling, folder.dense).size(hidden)
    return encoder_card(spec, folder, tokenizer, size)


def _providers(spec: LoadSpec) -> list[Any]:
    """Where it computes. Raises LoadFailed for a device that ONNX Runtime cannot use here."""
    device = read_options(EncoderOptions, spec).openai_embedding_device
    name, _, number = device.lower().partition(":")
    has_cuda = CUDA in ort.get_available_providers()
    if name in {"", "cpu"} or (name == "auto" and not has_cuda):
        return [CPU]
    if name not in {"auto", "cuda"} or not (number or "0").isdecimal():
        raise LoadFailed(
            f"The device {device[:20]!r} of the embedding model is unknown. Use cpu, cuda, cuda:1 or auto."
        )
    if not has_cuda:
        raise LoadFailed(
            "The installed ONNX Runtime cannot use CUDA. Set the embedding device to cpu, or install onnxruntime-gpu in "
            "place of onnxruntime."
        )
    return [(CUDA, {"device_id": int(number or 0)}), CPU]
