"""What the folder of an encoder says about itself.

Its architecture, how its states become a vector, what it is for. Only small JSON files are read, so that folders can be
listed without any library.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from modules.backends.encoders.moderation_labels import is_harmless, is_moderation
from modules.engine.types import ModelKind
from modules.errors import LoadFailed

CONFIG: Final = "config.json"
_MODULES: Final = "modules.json"
_TOKENIZERS: Final = ("tokenizer.json", "vocab.txt")
_WEIGHTS: Final = "model.safetensors"
_PARTS: Final = "model.safetensors.index.json"
# What `VectorHead` computes.
_STATIC: Final = "StaticEmbedding"
_KNOWN_MODULES: Final = frozenset(("Transformer", "Pooling", "Dense", "Normalize", "Dropout"))
_HEAD: Final = "ForSequenceClassification"
# The other value is "multi_label_classification".
_ONE_LABEL: Final = "single_label_classification"
# Configuration files of real models have some kilobytes; vocabularies some megabytes.
_MAX_BYTES: Final = 16 * 2**20
_SIZES: Final = ("hidden_size", "d_model", "dim")
_PADDED_POSITIONS: Final = frozenset(("roberta", "xlm-roberta", "mpnet"))
# BERT's, where a configuration states none.
_USUAL_LENGTH: Final = 512


class PoolingMode(StrEnum):
    """How the states of all tokens become one: as `pooling_mode` in sentence-transformers' 1_Pooling/config.json."""

    CLS = "cls"
    MEAN = "mean"
    MAX = "max"
    MEAN_SQRT_LENGTH = "mean_sqrt_len"
    WEIGHTED_MEAN = "weightedmean"
    LAST = "lasttoken"


_POOLING_KEYS: Final = MappingProxyType(
    {
        "pooling_mode_cls_token": PoolingMode.CLS,
        "pooling_mode_max_tokens": PoolingMode.MAX,
        "pooling_mode_mean_tokens": PoolingMode.MEAN,
        "pooling_mode_mean_sqrt_len_tokens": PoolingMode.MEAN_SQRT_LENGTH,
        "pooling_mode_weightedmean_tokens": PoolingMode.WEIGHTED_MEAN,
        "pooling_mode_lasttoken": PoolingMode.LAST,
    }
)


@dataclass(frozen=True, slots=True)
class DenseLayer:
    """A folder `2_Dense`: its weights, the activation's name, and how many numbers come out; 0 where it does not say."""

    weights: Path
    activation: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class EncoderFolder:
    """`path` is the transformer's. `unknown_modules` are kinds in modules.json that the other fields do not cover.
    `max_length` counts tokens with the special ones. `labels` of a classifier are in the order of its scores."""

    path: Path
    config: Mapping[str, Any]
    kind: ModelKind
    unknown_modules: tuple[str, ...]
    weights: tuple[Path, ...]
    pooling: tuple[PoolingMode, ...]
    dense: tuple[DenseLayer, ...]
    max_length: int
    prompts: tuple[tuple[str, str], ...]
    labels: tuple[str, ...]

    @property
    def is_classifier(self) -> bool:
        return bool(self.labels)

    @property
    def label_groups(self) -> tuple[tuple[str, ...], ...]:
        """Labels that exclude each other stand in one group. Where the configuration does not say whether they do, those
        with one for what is harmless among them do."""
        stated = self.config.get("problem_type")
        are_exclusive = any(map(is_harmless, self.labels)) if stated is None else stated == _ONE_LABEL
        return (self.labels,) if are_exclusive else tuple((label,) for label in self.labels)

    @property
    def architecture(self) -> str:
        return str(self.config.get("model_type", ""))

    @property
    def size(self) -> int:
        """How many numbers a vector has, or how many scores a pair; 0 where the files do not say."""
        if self.labels:
            return len(self.labels)
        hidden = next((self.config[key] for key in _SIZES if self.config.get(key)), 0)
        return self.dense[-1].size if self.dense else int(hidden) * len(self.pooling)


def is_encoder_folder(path: Path) -> bool:
    """Whether it holds modules of sentence-transformers for vectors, or a classifier of texts."""
    if is_part(path):
        return False
    if not (path / _MODULES).is_file():
        return has_tokenizer(path) and _is_classifier(_read_or_empty(path))
    try:
        modules = _modules(path)
    except LoadFailed:
        return False
    # A language model that judges by its next word is asked as one.
    return bool(modules) and all(kind != "LogitScore" for kind, _ in modules) and has_tokenizer(modules[0][1])


def is_part(path: Path) -> bool:
    """Whether it is the folder of one module, as older models have one for the transformer."""
    return (path.parent / _MODULES).is_file()


def architecture_of(path: Path) -> str:
    """The `model_type` of a folder; empty where it cannot be read."""
    return str(_read_or_empty(path).get("model_type", ""))


def has_tokenizer(path: Path) -> bool:
    return any((path / name).is_file() for name in _TOKENIZERS)


def has_weights(path: Path) -> bool:
    return (path / _WEIGHTS).is_file() or (path / _PARTS).is_file()


def kind_of_folder(path: Path) -> ModelKind:
    """MODERATION for a classifier with labels of moderation; RERANK for any other, which scores pairs of texts."""
    return _kind(_read_or_empty(path))


def read_folder(path: Path) -> EncoderFolder:
    """Raises LoadFailed for what cannot be read or is damaged."""
    modules = _modules(path)
    transformer = modules[0][1] if modules else path
    config = _read(transformer / CONFIG) if modules[:1] != [(_STATIC, transformer)] else {}
    pooling, dense = _after(modules)
    is_classifier = _is_classifier(config)
    return EncoderFolder(
        path=transformer,
        config=config,
        kind=_kind(config),
        unknown_modules=tuple(kind for kind, _ in modules if kind not in _KNOWN_MODULES),
        weights=_weights(transformer),
        pooling=pooling or (PoolingMode.MEAN,),
        dense=dense,
        max_length=_max_length(transformer, config),
        prompts=_prompts(path),
        labels=_labels(config) if is_classifier else (),
    )


def _modules(path: Path) -> list[tuple[str, Path]]:
    """Kind and folder of each; none for a folder of plain Transformers."""
    if not (path / _MODULES).is_file():
        return []
    found = []
    for entry in _read_list(path / _MODULES):
        folder = str(entry.get("path", ""))
        if Path(folder).is_absolute() or ".." in Path(folder).parts:
            raise LoadFailed(f"{_MODULES} names a folder outside the model's.")
        found.append((str(entry.get("type", "")).rpartition(".")[2], path / folder))
    return found


def _after(modules: list[tuple[str, Path]]) -> tuple[tuple[PoolingMode, ...], tuple[DenseLayer, ...]]:
    """What follows the transformer. Vectors are brought to length one in any case."""
    pooling: tuple[PoolingMode, ...] = ()
    dense = []
    for kind, folder in modules:
        match kind:
            case "Pooling":
                pooling = _pooling(_read(folder / CONFIG))
            case "Dense":
                stated = _read(folder / CONFIG)
                activation = str(stated.get("activation_function", "")).rpartition(".")[2]
                dense.append(DenseLayer(folder / _WEIGHTS, activation, int(stated.get("out_features") or 0)))
    return pooling, tuple(dense)


def _pooling(config: Mapping[str, Any]) -> tuple[PoolingMode, ...]:
    """Several are put one behind the other. Newer files name the mode itself."""
    named = config.get("pooling_mode")
    names = [named] if isinstance(named, str) else list(named or ())
    try:
        modes = [PoolingMode(name) for name in names]
    except ValueError as error:
        raise LoadFailed(f"The pooling mode {named!r} is unknown.") from error
    return tuple(modes or (mode for key, mode in _POOLING_KEYS.items() if config.get(key)))


def _max_length(path: Path, config: Mapping[str, Any]) -> int:
    stated_positions = config.get("max_position_embeddings")
    positions = int(stated_positions or _USUAL_LENGTH)
    if config.get("model_type") in _PADDED_POSITIONS:
        # The first two positions are the padding's.
        positions -= 2
    stated = path / "sentence_bert_config.json"
    if stated.is_file() and (length := _read(stated).get("max_seq_length")):
        # Relative positions have no end.
        return min(int(length), positions) if stated_positions else int(length)
    tokenizer = path / "tokenizer_config.json"
    length = _read(tokenizer).get("model_max_length") if tokenizer.is_file() else None
    return min(int(length), positions) if isinstance(length, int) and length > 0 else positions


def _prompts(path: Path) -> tuple[tuple[str, str], ...]:
    stated = path / "config_sentence_transformers.json"
    prompts = _read(stated).get("prompts") if stated.is_file() else None
    return tuple((str(name), str(text)) for name, text in prompts.items()) if isinstance(prompts, dict) else ()


def _weights(path: Path) -> tuple[Path, ...]:
    if (path / _WEIGHTS).is_file():
        return (path / _WEIGHTS,)
    if not (path / _PARTS).is_file():
        return ()
    names = sorted(set(map(str, _read(path / _PARTS).get("weight_map", {}).values())))
    return tuple(path / Path(name).name for name in names)


def _is_classifier(config: Mapping[str, Any]) -> bool:
    return any(str(name).endswith(_HEAD) for name in config.get("architectures") or ())


def _kind(config: Mapping[str, Any]) -> ModelKind:
    if not _is_classifier(config):
        return ModelKind.EMBEDDING
    return ModelKind.MODERATION if is_moderation(_labels(config)) else ModelKind.RERANK


def _labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    stated = config.get("id2label")
    if isinstance(stated, dict) and stated:
        return tuple(str(stated[key]) for key in sorted(stated, key=int))
    return tuple(f"LABEL_{index}" for index in range(int(config.get("num_labels", 1))))


def _read_or_empty(path: Path) -> dict[str, Any]:
    """The configuration of a folder."""
    try:
        return _read(path / CONFIG)
    except LoadFailed:
        return {}


def _read(path: Path) -> dict[str, Any]:
    found = _json(path)
    if not isinstance(found, dict):
        raise LoadFailed(f"{path.name} is damaged: it holds no JSON object.")
    return found


def _read_list(path: Path) -> list[dict[str, Any]]:
    found = _json(path)
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise LoadFailed(f"{path.name} is damaged: it holds no list of modules.")
    return found


def _json(path: Path) -> object:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise LoadFailed(f"{path.name} is too large for what it should be.")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LoadFailed(f"{path.name} of the model's folder cannot be read.") from error
