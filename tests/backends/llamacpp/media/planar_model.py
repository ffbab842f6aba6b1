"""A tiny language model whose positions have several planes (M-RoPE), with random weights and another's vocabulary."""

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np

from tests.vocabularies import token_count, tokenizer_of

WIDTH, HEADS, HIDDEN, LAYERS = 64, 4, 128, 2
# Pairs of numbers that turn with time, row and column.
SECTIONS = [2, 3, 3, 0]


def write_planar_model(path: Path, vocabulary: Path) -> Path:
    writer = gguf.GGUFWriter(path, "qwen2vl")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_sections(SECTIONS)
    for entry in tokenizer_of(vocabulary):
        entry.write(writer)
    for name, values in _tensors(token_count(vocabulary)):
        writer.add_tensor(name, np.asarray(values, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors(tokens: int) -> Iterator[tuple[str, np.ndarray]]:
    random = np.random.default_rng(3)

    def weights(*shape: int) -> np.ndarray:
        return np.asarray(random.normal(size=shape) / shape[-1] ** 0.5)

    yield "token_embd.weight", weights(tokens, WIDTH)
    yield "output_norm.weight", np.ones(WIDTH)
    for layer in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{name}.weight", np.ones(WIDTH)
        for name in ("attn_q", "attn_k", "attn_v"):
            yield f"blk.{layer}.{name}.weight", weights(WIDTH, WIDTH)
            yield f"blk.{layer}.{name}.bias", np.zeros(WIDTH)
        yield f"blk.{layer}.attn_output.weight", weights(WIDTH, WIDTH)
        yield f"blk.{layer}.ffn_gate.weight", weights(HIDDEN, WIDTH)
        yield f"blk.{layer}.ffn_up.weight", weights(HIDDEN, WIDTH)
        yield f"blk.{layer}.ffn_down.weight", weights(WIDTH, HIDDEN)
