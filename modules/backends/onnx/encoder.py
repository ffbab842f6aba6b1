"""A loaded encoder: sequences of tokens → one row of numbers each, in batches."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import onnxruntime as ort

from modules.backends.encoders.folder import EncoderFolder
from modules.backends.onnx.encoder_graph import (
    BUCKETS,
    FAMILIES,
    IDS,
    MASK,
    POSITIONS,
    TYPES,
    encoder_graph,
    prefixes,
    relative_buckets,
)
from modules.backends.onnx.pooling import VectorHead
from modules.backends.onnx.weights import EncoderWeights, Floats, Integers
from modules.errors import LoadFailed

_STATES: Final = ("last_hidden_state", "token_embeddings", "logits")
_ELEMENTS: Final = MappingProxyType({"tensor(int64)": np.int64, "tensor(int32)": np.int32})
# ONNX Runtime's levels: 2 warns of every node that stays on the CPU.
_WARNINGS_ONLY: Final = 3
_RANK_OF_STATES: Final = 3
_LENGTHS_REMEMBERED: Final = 64


class EncoderSession:
    """Of the model in `folder`, by the ONNX file `graph` or one that is made; `separator` ends the first text of a pair. Raises LoadFailed."""

    def __init__(
        self, folder: EncoderFolder, graph: Path | None, *, threads: int, providers: Sequence[Any], separator: int
    ) -> None:
        self._config = folder.config
        self._separator = separator
        self._is_classifier = folder.is_classifier
        self._head = None if self._is_classifier else VectorHead(folder.pooling, folder.dense)
        self._session = _session(folder, graph, threads, providers)
        self._inputs = {value.name: _ELEMENTS.get(value.type) for value in self._session.get_inputs()}
        self._output = _output_of(self._session)
        self._buckets = lru_cache(maxsize=_LENGTHS_REMEMBERED)(self._made_buckets)

    def rows(self, sequences: Sequence[Sequence[int]]) -> Floats:
        """[sequences, numbers]: vectors, or the scores of a classifier."""
        length = max(map(len, sequences))
        ids = np.full((len(sequences), length), int(self._config.get("pad_token_id") or 0), np.int64)
        mask = np.zeros(ids.shape, np.float32)
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = sequence
            mask[row, : len(sequence)] = 1
        values: dict[str, Any] = {
            IDS: ids,
            MASK: mask,
            TYPES: self._types(ids),
            POSITIONS: self._positions(length),
            BUCKETS: self._buckets(length) if BUCKETS in self._inputs else None,
        }
        feed = {name: values[name].astype(element) for name, element in self._inputs.items()}
        (states,) = self._session.run([self._output], feed)
        states = np.asarray(states, np.float32)
        return states if self._head is None else self._head.vectors(states, mask)

    def _types(self, ids: Integers) -> Integers:
        """1 for the second text of a pair, in models that tell the two apart."""
        if not self._is_classifier or int(self._config.get("type_vocab_size") or 1) < 2:
            return np.zeros_like(ids)
        is_separator = ids == self._separator
        types: Integers = ((np.cumsum(is_separator, axis=1) - is_separator) > 0).astype(np.int64)
        return types

    def _positions(self, length: int) -> Integers:
        family = FAMILIES.get(self._config.get("model_type", ""))
        first = family.first_position if family else 0
        return np.arange(first, first + length)

    def _made_buckets(self, length: int) -> Integers:
        return relative_buckets(length, int(self._config.get("relative_attention_num_buckets", 32)))


def _session(folder: EncoderFolder, file: Path | None, threads: int, providers: Sequence[Any]) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = _WARNINGS_ONLY
    options.intra_op_num_threads = threads
    # Threads that spin for work take the cores from the other models.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source: str | bytes
    if file is not None:
        source = str(file)
    else:
        weights = EncoderWeights(folder.weights, prefixes(folder.config))
        graph = encoder_graph(folder.config, weights, classifies=folder.is_classifier)
        values = [ort.OrtValue.ortvalue_from_numpy(tensor) for tensor in graph.weights.values()]
        options.add_external_initializers(list(graph.weights), values)
        source = graph.model
    try:
        return ort.InferenceSession(source, options, providers=list(providers))
    except Exception as error:
        raise LoadFailed(f"ONNX Runtime cannot load the model: {str(error)[:300]}") from error


def _output_of(session: ort.InferenceSession) -> str:
    outputs = {str(value.name): len(value.shape) for value in session.get_outputs()}
    for name in _STATES:
        if name in outputs:
            return name
    found = next((name for name, rank in outputs.items() if rank == _RANK_OF_STATES), None)
    if found is None:
        raise LoadFailed("The model's ONNX file gives no states of its tokens.")
    return found
