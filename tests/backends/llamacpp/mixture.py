"""Writes a tiny mixture of experts with the vocabulary of another model: random weights, for placement and sizes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import gguf
import numpy as np

from tests.vocabularies import token_count, tokenizer_of

LAYERS, EXPERTS, WIDTH, HEADS, HIDDEN = 4, 4, 64, 4, 128


def write_mixture(
    path: Path,
    vocabulary: Path,
    *,
    parts: int = 1,
    metadata: Callable[[gguf.GGUFWriter], None] = lambda writer: None,
) -> Path:
    """A llama model of four layers with four experts each, in so many files; `metadata` adds more of them. Returns the path
    of the first."""
    tensors = dict(_tensors(token_count(vocabulary)))
    most = -(-len(tensors) // parts) if parts > 1 else 0
    writer = gguf.GGUFWriter(path, "llama", split_max_tensors=most)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_expert_count(EXPERTS)
    writer.add_expert_used_count(2)
    metadata(writer)
    for entry in tokenizer_of(vocabulary):
        entry.write(writer)
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path if parts == 1 else path.with_name(f"{path.stem}-00001-of-{parts:05}.gguf")


def _tensors(tokens: int) -> Iterator[tuple[str, np.ndarray]]:
    random = np.random.default_rng(5)

    def weights(*shape: int) -> np.ndarray:
        return np.asarray(random.normal(size=shape) / shape[-1] ** 0.5, np.float32)

    yield "token_embd.weight", weights(tokens, WIDTH)
    yield "output_norm.weight", np.ones(WIDTH, np.float32)
    for layer in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{name}.weight", np.ones(WIDTH, np.float32)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield f"blk.{layer}.{name}.weight", weights(WIDTH, WIDTH)
        yield f"blk.{layer}.ffn_gate_inp.weight", weights(EXPERTS, WIDTH)
        yield f"blk.{layer}.ffn_gate_exps.weight", weights(EXPERTS, HIDDEN, WIDTH)
        yield f"blk.{layer}.ffn_up_exps.weight", weights(EXPERTS, HIDDEN, WIDTH)
        yield f"blk.{layer}.ffn_down_exps.weight", weights(EXPERTS, WIDTH, HIDDEN)
