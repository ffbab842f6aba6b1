"""Writes small projectors for tests: one that tells six colours apart, and some with random weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import gguf
import numpy as np

COLOURS: Final[Mapping[str, tuple[int, int, int]]] = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
}
# Cells that stand for a picture of any size with the projector of colours.
COLOUR_CELLS: Final = 4
_SIZE, _PATCH, _WIDTH, _HEADS, _HIDDEN = 32, 16, 64, 4, 16
# Whisper's: spectra of 80 bands, 1500 of them after the convolutions for 30 s.
_MEL_BINS, _HEARD_FRAMES = 80, 1500
_EPSILON: Final = 1e-6
_GAIN: Final = 4.0
# Beside the colours, so that normalisation leaves their differences.
_CONSTANT: Final = 1.5
# How the vocabulary of SmolLM2 spells a space.
_SPACE: Final = "Ġ"


def write_colour_projector(path: Path, model: Path) -> Path:
    """Beside `model`, SmolLM2, each patch reads as the word for the colour that is nearest to its average: the first layer
    has one unit for each colour, which is on for no other, and the second gives its word's own embedding."""
    features = np.stack([_feature(colour) for colour in COLOURS.values()])
    words = _word_embeddings(model)
    size = words.shape[1]
    first, bias, second = np.zeros((size, _WIDTH)), np.zeros(size), np.zeros((size, size))
    for index, feature in enumerate(features):
        nearest = max(other @ feature for other in np.delete(features, index, axis=0))
        distance = feature @ feature - nearest
        first[index], bias[index] = _GAIN * feature, -_GAIN * (feature @ feature - distance / 2)
        second[:, index] = words[index] / (_GAIN * distance / 2)
    projection = {"mm.0.weight": first, "mm.0.bias": bias, "mm.1.weight": second, "mm.1.bias": np.zeros(size)}
    kernel = np.zeros((_WIDTH, 3, _PATCH, _PATCH))
    for channel in range(3):
        kernel[channel, channel] = 1 / _PATCH**2
        kernel[3 + channel, channel] = -1 / _PATCH**2
    constants = np.zeros(_WIDTH)
    constants[6:8] = _CONSTANT, -_CONSTANT
    tower = {**_empty_tower(), "v.patch_embd.weight": kernel, "v.patch_embd.bias": constants}
    return _write(path, "janus_pro", size, {**tower, **projection})


def write_random_projector(path: Path, kind: str, *, width: int, seed: int = 1) -> Path:
    """Of llama.cpp's construction `kind`, "janus_pro", "gemma3", "idefics3" or "qwen2vl_merger", or one that it does not
    know."""
    weights = _Weights(seed)
    tower = {**_empty_tower(), "v.patch_embd.weight": weights(_WIDTH, 3, _PATCH, _PATCH)}
    if kind == "qwen2vl_merger":
        del tower["v.patch_embd.bias"], tower["v.position_embd.weight"]
        tower["v.patch_embd.weight.1"] = weights(_WIDTH, 3, _PATCH, _PATCH)
    merged = 4 * _WIDTH
    projections = {
        "qwen2vl_merger": {
            "mm.0.weight": weights(merged, merged),
            "mm.0.bias": np.zeros(merged),
            "mm.2.weight": weights(width, merged),
            "mm.2.bias": np.zeros(width),
        },
        "gemma3": {"mm.input_projection.weight": weights(_WIDTH, width), "mm.soft_emb_norm.weight": np.ones(_WIDTH)},
        "idefics3": {"mm.model.fc.weight": weights(width, 4 * _WIDTH)},
    }
    usual = {
        "mm.0.weight": weights(width, _WIDTH),
        "mm.0.bias": np.zeros(width),
        "mm.1.weight": weights(width, width),
        "mm.1.bias": np.zeros(width),
    }
    return _write(path, kind, width, {**tower, **projections.get(kind, usual)})


def write_hearing_projector(path: Path, *, width: int, seed: int = 1) -> Path:
    """Whisper's encoder with one layer and random weights, and llama.cpp's projector "qwen2a" after it."""
    weights = _Weights(seed)
    layer = {name.replace("v.", "a.", 1): values for name, values in _empty_tower().items() if "patch" not in name}
    del layer["a.blk.0.attn_k.bias"]
    tensors = {
        **layer,
        "a.position_embd.weight": np.zeros((_HEARD_FRAMES, _WIDTH)),
        "a.conv1d.1.weight": weights(_WIDTH, _MEL_BINS, 3),
        "a.conv1d.1.bias": np.zeros((_WIDTH, 1)),
        "a.conv1d.2.weight": weights(_WIDTH, _WIDTH, 3),
        "a.conv1d.2.bias": np.zeros((_WIDTH, 1)),
        "mm.a.fc.weight": weights(width, _WIDTH),
        "mm.a.fc.bias": np.zeros(width),
    }
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_bool("clip.has_audio_encoder", True)
    writer.add_string("clip.projector_type", "qwen2a")
    numbers = {"embedding_length": _WIDTH, "feed_forward_length": _HIDDEN, "block_count": 1, "projection_dim": width}
    for name, value in {**numbers, "attention.head_count": _HEADS, "num_mel_bins": _MEL_BINS}.items():
        writer.add_uint32(f"clip.audio.{name}", value)
    writer.add_float32("clip.audio.attention.layer_norm_epsilon", _EPSILON)
    _finish(writer, tensors)
    return path


class _Weights:
    """Random numbers, scaled by the number of inputs."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> np.ndarray:
        return np.asarray(self._random.normal(size=shape) / shape[-1] ** 0.5)


def _write(path: Path, kind: str, size: int, tensors: Mapping[str, np.ndarray]) -> Path:
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", kind)
    writer.add_bool("clip.use_gelu", True)
    numbers = {"image_size": _SIZE, "patch_size": _PATCH, "embedding_length": _WIDTH, "feed_forward_length": _HIDDEN}
    for name, value in {**numbers, "block_count": 1, "projection_dim": size, "attention.head_count": _HEADS}.items():
        writer.add_uint32(f"clip.vision.{name}", value)
    if kind == "idefics3":
        writer.add_uint32("clip.vision.projector.scale_factor", 2)
    if kind == "gemma3":
        writer.add_uint32("clip.vision.projector.scale_factor", 2)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", _EPSILON)
    for name in ("image_mean", "image_std"):
        writer.add_array(f"clip.vision.{name}", [0.5] * 3)
    _finish(writer, tensors)
    return path


def _finish(writer: gguf.GGUFWriter, tensors: Mapping[str, np.ndarray]) -> None:
    for name, values in tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(values, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _empty_tower() -> dict[str, np.ndarray]:
    """One layer that adds nothing to what it is given."""
    square, ones, zeros = np.zeros((_WIDTH, _WIDTH)), np.ones(_WIDTH), np.zeros(_WIDTH)
    tensors = {
        "v.patch_embd.bias": zeros,
        "v.position_embd.weight": np.zeros(((_SIZE // _PATCH) ** 2, _WIDTH)),
        "v.post_ln.weight": ones,
        "v.post_ln.bias": zeros,
        "v.blk.0.ffn_up.weight": np.zeros((_HIDDEN, _WIDTH)),
        "v.blk.0.ffn_up.bias": np.zeros(_HIDDEN),
        "v.blk.0.ffn_down.weight": np.zeros((_WIDTH, _HIDDEN)),
        "v.blk.0.ffn_down.bias": zeros,
    }
    for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
        tensors |= {f"v.blk.0.{name}.weight": square, f"v.blk.0.{name}.bias": zeros}
    for name in ("ln1", "ln2"):
        tensors |= {f"v.blk.0.{name}.weight": ones, f"v.blk.0.{name}.bias": zeros}
    return tensors


def _feature(colour: tuple[int, int, int]) -> np.ndarray:
    """What the tower makes of a patch of that colour."""
    channels = (np.array(colour) / 255 - 0.5) / 0.5
    feature = np.zeros(_WIDTH)
    feature[0:3], feature[3:6], feature[6:8] = channels, -channels, (_CONSTANT, -_CONSTANT)
    return np.asarray((feature - feature.mean()) / np.sqrt(feature.var() + _EPSILON))


def _word_embeddings(model: Path) -> np.ndarray:
    reader = gguf.GGUFReader(model)
    texts = reader.fields["tokenizer.ggml.tokens"].contents()
    table = next(tensor for tensor in reader.tensors if tensor.name == "token_embd.weight")
    rows = [texts.index(_SPACE + name) for name in COLOURS]
    return np.asarray(gguf.dequantize(table.data[rows], table.tensor_type))
