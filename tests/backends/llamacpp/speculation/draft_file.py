"""A tiny language model with the vocabulary of a real one and random weights: as a draft it is nearly always wrong."""

from pathlib import Path

import gguf
import numpy as np

from tests.vocabularies import token_count, tokenizer_of

SIZE = 32
CONTEXT = 2048
_HEADS, _FEED_FORWARD = 2, 64


def write_bad_draft(path: Path, like: Path, *, other_token: int | None = None, more_tokens: int = 0) -> None:
    """`other_token` gets another text, and `more_tokens` are appended."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(SIZE)
    writer.add_block_count(1)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(SIZE // _HEADS)
    _copy_vocabulary(like, writer, other_token, more_tokens)
    _add_weights(writer, token_count(like) + more_tokens)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _copy_vocabulary(path: Path, writer: gguf.GGUFWriter, other_token: int | None, more_tokens: int) -> None:
    for entry in tokenizer_of(path):
        match entry.name.rpartition(".")[2]:
            case "tokens":
                texts = [*entry.value, *(f"more{number}" for number in range(more_tokens))]
                if other_token is not None:
                    texts[other_token] += "?"
                entry.write(writer, texts)
            case "token_type":
                entry.write(writer, [*entry.value, *[gguf.TokenType.NORMAL] * more_tokens])
            case "scores":
                pass
            case _:
                entry.write(writer)


def _add_weights(writer: gguf.GGUFWriter, vocabulary: int) -> None:
    draw = np.random.default_rng(7)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(f"{name}.weight", draw.normal(0, 0.3, shape).astype(np.float32))

    def add_norm(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(SIZE, np.float32))

    add("token_embd", vocabulary, SIZE)
    add_norm("output_norm")
    add_norm("blk.0.attn_norm")
    add_norm("blk.0.ffn_norm")
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        add(f"blk.0.{name}", SIZE, SIZE)
    add("blk.0.ffn_gate", _FEED_FORWARD, SIZE)
    add("blk.0.ffn_up", _FEED_FORWARD, SIZE)
    add("blk.0.ffn_down", SIZE, _FEED_FORWARD)
