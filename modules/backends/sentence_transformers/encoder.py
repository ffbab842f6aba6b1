"""A loaded encoder on PyTorch: sequences of tokens → one row of numbers each, in batches."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer

from modules.backends.encoders.backend import Rows
from modules.backends.encoders.folder import EncoderFolder
from modules.errors import LoadFailed

_VECTOR: Final = "sentence_embedding"
_SCORES: Final = "scores"


class TorchEncoder:
    """Of the model at `path`, on `device`; `separator` ends the first text of a pair. Weights stay in the type in which
    they are stored on graphics cards, and become 32-bit floats on the processor. Raises LoadFailed."""

    def __init__(
        self, path: Path, folder: EncoderFolder, device: str, *, threads: int, separator: int, with_code: bool
    ) -> None:
        torch.set_num_threads(threads)
        self._device = device
        self._separator = separator
        self._padding = int(folder.config.get("pad_token_id") or 0)
        is_classifier = folder.is_classifier
        self._has_types = is_classifier and int(folder.config.get("type_vocab_size") or 1) > 1
        self._result = _SCORES if is_classifier else _VECTOR
        kind: type[Any] = CrossEncoder if is_classifier else SentenceTransformer
        weights = {"use_safetensors": True, "dtype": "float32" if device == "cpu" else "auto"}
        try:
            model = kind(
                str(path),
                device=device,
                local_files_only=True,
                trust_remote_code=with_code,
                model_kwargs=weights,
            )
        except Exception as error:
            raise LoadFailed(f"sentence-transformers cannot load the model: {_words(error, path)}") from error
        model.eval()
        # Vectors are brought to length one where they are wanted so.
        self._modules = [part for part in model.children() if type(part).__name__ != "Normalize"]
        self.size = folder.size if is_classifier else int(model.get_embedding_dimension() or folder.size)

    def rows(self, sequences: Sequence[Sequence[int]]) -> Rows:
        """[sequences, numbers]: vectors, or the scores of a classifier."""
        length = max(map(len, sequences))
        ids = np.full((len(sequences), length), self._padding, np.int64)
        mask = np.zeros(ids.shape, np.int64)
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = sequence
            mask[row, : len(sequence)] = 1
        values = {"input_ids": ids, "attention_mask": mask}
        if self._has_types:
            is_separator = ids == self._separator
            values["token_type_ids"] = ((np.cumsum(is_separator, axis=1) - is_separator) > 0) * mask
        features: dict[str, Any] = {name: torch.from_numpy(value).to(self._device) for name, value in values.items()}
        with torch.inference_mode():
            for module in self._modules:
                features = module(features)
        rows: Rows = features[self._result].float().cpu().numpy()
        return rows


def device_of(wanted: str) -> str:
    """The name that PyTorch has for it. Raises LoadFailed for one that it cannot use here."""
    name = wanted.lower()
    has_cuda, has_mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name in {"", "cpu"}:
        return "cpu"
    if name == "auto":
        return "cuda" if has_cuda else "mps" if has_mps else "cpu"
    kind, _, number = name.partition(":")
    if kind not in {"cuda", "mps"} or not (number or "0").isdecimal():
        raise LoadFailed(
            f"The device {wanted[:20]!r} of the embedding model is unknown. Use cpu, cuda, cuda:1, mps or auto."
        )
    if not (has_cuda if kind == "cuda" else has_mps):
        raise LoadFailed(f"The installed PyTorch cannot use {kind.upper()}. Set the embedding device to cpu.")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise LoadFailed(f"There is no device {name[:20]}: PyTorch sees {torch.cuda.device_count()}.")
    return name


def _words(error: Exception, path: Path) -> str:
    """What the library says, without where the model is."""
    return str(error).replace(str(path), path.name)[:300]
