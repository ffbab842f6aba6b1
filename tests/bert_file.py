"""A tiny BERT encoder as a GGUF file: random weights, a vocabulary of letters. Made in milliseconds, read by llama.cpp."""

from pathlib import Path
from string import ascii_lowercase

import gguf
import numpy as np

SIZE = 32
CONTEXT = 64
_LAYERS, _HEADS, _FEED_FORWARD = 2, 4, 64
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CLS, SEP = _SPECIAL.index("[CLS]"), _SPECIAL.index("[SEP]")
_START = "\u2581"


def write_bert(path: Path, *, pooling: gguf.PoolingType = gguf.PoolingType.MEAN, has_head: bool = False) -> None:
    """Words are spelt letter by letter, so a text has as many tokens as letters, and two more. With a head it scores."""
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(SIZE)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(pooling)
    writer.add_token_type_count(2)
    vocabulary = _add_vocabulary(writer)
    _add_weights(writer, vocabulary, has_head=has_head)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: gguf.GGUFWriter) -> int:
    tokens = [*_SPECIAL, *(_START + letter for letter in ascii_lowercase), *ascii_lowercase]
    kinds = [gguf.TokenType.CONTROL] * len(_SPECIAL)
    kinds += [gguf.TokenType.NORMAL] * (len(tokens) - len(_SPECIAL))
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("bert-bge")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_uint32("tokenizer.ggml.cls_token_id", CLS)
    writer.add_uint32("tokenizer.ggml.seperator_token_id", SEP)
    writer.add_mask_token_id(4)
    writer.add_bos_token_id(CLS)
    writer.add_eos_token_id(SEP)
    return len(tokens)


def _add_weights(writer: gguf.GGUFWriter, vocabulary: int, *, has_head: bool) -> None:
    draw = np.random.default_rng(7)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, draw.normal(0, 0.3, shape).astype(np.float32))

    def add_norm(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(SIZE, np.float32))
        writer.add_tensor(f"{name}.bias", np.zeros(SIZE, np.float32))

    add("token_embd.weight", vocabulary, SIZE)
    add("position_embd.weight", CONTEXT, SIZE)
    add("token_types.weight", 2, SIZE)
    add_norm("token_embd_norm")
    for layer in range(_LAYERS):
        block = f"blk.{layer}"
        for name, rows, columns in (
            ("attn_q", SIZE, SIZE),
            ("attn_k", SIZE, SIZE),
            ("attn_v", SIZE, SIZE),
            ("attn_output", SIZE, SIZE),
            ("ffn_up", _FEED_FORWARD, SIZE),
            ("ffn_down", SIZE, _FEED_FORWARD),
        ):
            add(f"{block}.{name}.weight", rows, columns)
            add(f"{block}.{name}.bias", rows)
        add_norm(f"{block}.attn_output_norm")
        add_norm(f"{block}.layer_output_norm")
    if has_head:
        add("cls.weight", SIZE, SIZE)
        add("cls.bias", SIZE)
        add("cls.output.weight", 1, SIZE)
        add("cls.output.bias", 1)
