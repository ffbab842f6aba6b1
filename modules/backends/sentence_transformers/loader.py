"""Brings up the encoder of a folder on PyTorch, without the network and without pickles."""

from pathlib import Path
from typing import Final

from modules.backends.base import read_options
from modules.backends.cores import usable_cores
from modules.backends.encoders.backend import TOKENS_OF_A_STEP, TOKENS_OF_A_STEP_ON_GPU, EncoderBackend
from modules.backends.encoders.card import encoder_card
from modules.backends.encoders.folder import EncoderFolder, read_folder
from modules.backends.encoders.options import EncoderOptions
from modules.backends.encoders.tokenizer import FolderTokenizer
from modules.backends.pytorch import prepare_pytorch
from modules.engine.protocols import ReportProgress
from modules.engine.types import LoadSpec, ModelCard
from modules.errors import LoadFailed

_PICKLES: Final = frozenset((".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"))
_SAFE: Final = ".safetensors"


class SentenceTransformersLoader:
    def probe(self, spec: LoadSpec) -> ModelCard:
        folder = _checked(spec)
        return encoder_card(spec, folder, FolderTokenizer(folder.path), folder.size)

    def load(self, spec: LoadSpec, report: ReportProgress) -> EncoderBackend:
        folder = _checked(spec)
        threads = usable_cores()
        prepare_pytorch(threads)
        from modules.backends.sentence_transformers.encoder import TorchEncoder, device_of  # noqa: PLC0415

        device = device_of(read_options(EncoderOptions, spec).openai_embedding_device)
        tokenizer = FolderTokenizer(folder.path)
        card = encoder_card(spec, folder, tokenizer, folder.size)
        separator = card.pair_frame[1][0] if card.pair_frame and card.pair_frame[1] else -1
        encoder = TorchEncoder(
            Path(spec.path), folder, device, threads=threads, separator=separator, with_code=spec.with_code
        )
        report(1.0)
        step = TOKENS_OF_A_STEP if device == "cpu" else TOKENS_OF_A_STEP_ON_GPU
        return EncoderBackend(encoder, tokenizer, encoder_card(spec, folder, tokenizer, encoder.size), step)


def _checked(spec: LoadSpec) -> EncoderFolder:
    """Raises LoadFailed for weights that are pickles, which can run code, and for code of the folder's own unless the
    operator allows it."""
    path = Path(spec.path)
    folder = read_folder(path)
    for place in {path, folder.path, *(part for part in path.iterdir() if part.is_dir())}:
        names = {file.name for file in place.iterdir() if file.is_file()}
        pickles = sorted(
            name for name in names if Path(name).suffix.lower() in _PICKLES and "training_args" not in name
        )
        if pickles and not any(name.endswith(_SAFE) for name in names):
            raise LoadFailed(
                f"{pickles[0]} is a pickle, which can run code when it is opened. Get the model as .safetensors."
            )
    if "auto_map" in folder.config and not spec.with_code:
        raise LoadFailed(
            "This model brings Python code of its own. Start the server with --trust-remote-code if you trust its author."
        )
    return folder
