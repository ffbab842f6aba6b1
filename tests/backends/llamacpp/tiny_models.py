"""Random models of some hundred kilobytes, whose tokens are bytes: with attention, recurrent, and both."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import gguf
import numpy as np

CONTEXT: Final = 2048
# The token that ends a text.
END: Final = 2
_WIDTH: Final = 64
_HEADS: Final = 4
_INNER: Final = 128
_STATE: Final = 16
_KERNEL: Final = 4
_RANK: Final = 4
_VOCABULARY: Final = 3 + 256


def write_llama(path: Path, *, layers: int = 2) -> Path:
    return _write(path, "llama", has_attention=(True,) * layers)


def write_mamba(path: Path) -> Path:
    return _write(path, "mamba", has_attention=(False, False))


def write_jamba(path: Path) -> Path:
    """Recurrent layers and one with attention in between."""
    return _write(path, "jamba", has_attention=(False, True, False))


def _write(path: Path, architecture: str, *, has_attention: Sequence[bool]) -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(len(has_attention))
    writer.add_layer_norm_rms_eps(1e-5)
    if any(has_attention):
        writer.add_feed_forward_length(_INNER)
        writer.add_head_count(_HEADS)
        writer.add_head_count_kv([_HEADS * has for has in has_attention])
        writer.add_rope_dimension_count(_WIDTH // _HEADS)
    else:
        writer.add_feed_forward_length(0)
        writer.add_head_count(0)
    if not all(has_attention):
        writer.add_ssm_conv_kernel(_KERNEL)
        writer.add_ssm_inner_size(_INNER)
        writer.add_ssm_state_size(_STATE)
        writer.add_ssm_time_step_rank(_RANK)
    _add_tokenizer(writer)
    _Tensors(writer).add_all(has_attention)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: gguf.GGUFWriter) -> None:
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))])
    writer.add_token_scores([0.0] * _VOCABULARY)
    writer.add_token_types([2, 3, 3, *([6] * 256)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(END)


class _Tensors:
    def __init__(self, writer: gguf.GGUFWriter) -> None:
        self._writer = writer
        self._rng = np.random.default_rng(7)

    def add_all(self, has_attention: Sequence[bool]) -> None:
        self._add("token_embd.weight", _VOCABULARY, _WIDTH, scale=1.0)
        self._fill("output_norm.weight", 1.0, _WIDTH)
        is_recurrent = not any(has_attention)
        for layer, has in enumerate(has_attention):
            block = f"blk.{layer}."
            self._fill(block + "attn_norm.weight", 1.0, _WIDTH)
            if has:
                self._add_attention(block)
            else:
                self._add_recurrent(block, has_norms=not is_recurrent)
            if not is_recurrent:
                self._add_feed_forward(block)

    def _add_attention(self, block: str) -> None:
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            self._add(f"{block}{name}.weight", _WIDTH, _WIDTH)

    def _add_recurrent(self, block: str, *, has_norms: bool) -> None:
        self._add(block + "ssm_in.weight", 2 * _INNER, _WIDTH)
        self._add(block + "ssm_conv1d.weight", _INNER, _KERNEL)
        self._add(block + "ssm_conv1d.bias", _INNER)
        self._add(block + "ssm_x.weight", _RANK + 2 * _STATE, _INNER)
        self._add(block + "ssm_dt.weight", _INNER, _RANK)
        self._add(block + "ssm_dt.bias", _INNER)
        self._fill(block + "ssm_a", -0.5, _INNER, _STATE)
        self._fill(block + "ssm_d", 1.0, _INNER)
        self._add(block + "ssm_out.weight", _WIDTH, _INNER)
        if has_norms:
            self._fill(block + "ssm_dt_norm.weight", 1.0, _RANK)
            self._fill(block + "ssm_b_norm.weight", 1.0, _STATE)
            self._fill(block + "ssm_c_norm.weight", 1.0, _STATE)

    def _add_feed_forward(self, block: str) -> None:
        self._fill(block + "ffn_norm.weight", 1.0, _WIDTH)
        self._add(block + "ffn_gate.weight", _INNER, _WIDTH)
        self._add(block + "ffn_up.weight", _INNER, _WIDTH)
        self._add(block + "ffn_down.weight", _WIDTH, _INNER)

    def _add(self, name: str, *shape: int, scale: float = 0.3) -> None:
        self._writer.add_tensor(name, (self._rng.standard_normal(shape) * scale).astype(np.float32))

    def _fill(self, name: str, value: float, *shape: int) -> None:
        self._writer.add_tensor(name, np.full(shape, value, np.float32))
