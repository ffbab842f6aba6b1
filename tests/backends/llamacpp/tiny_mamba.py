"""A random recurrent model of a few kilobytes, whose tokens are bytes."""

from pathlib import Path
from typing import Final

import gguf
import numpy as np

_WIDTH: Final = 64
_INNER: Final = 128
_STATE: Final = 16
_KERNEL: Final = 4
_RANK: Final = 4
_LAYERS: Final = 2
_VOCABULARY: Final = 3 + 256


def write_mamba(path: Path) -> Path:
    writer = gguf.GGUFWriter(path, "mamba")
    writer.add_context_length(2048)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_ssm_conv_kernel(_KERNEL)
    writer.add_ssm_inner_size(_INNER)
    writer.add_ssm_state_size(_STATE)
    writer.add_ssm_time_step_rank(_RANK)
    _add_tokenizer(writer)
    _add_tensors(writer)
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
    writer.add_eos_token_id(2)


def _add_tensors(writer: gguf.GGUFWriter) -> None:
    rng = np.random.default_rng(7)

    def add(name: str, *shape: int, scale: float = 0.3) -> None:
        writer.add_tensor(name, (rng.standard_normal(shape) * scale).astype(np.float32))

    def add_all(name: str, value: float, *shape: int) -> None:
        writer.add_tensor(name, np.full(shape, value, np.float32))

    add("token_embd.weight", _VOCABULARY, _WIDTH, scale=1.0)
    add_all("output_norm.weight", 1.0, _WIDTH)
    for layer in range(_LAYERS):
        block = f"blk.{layer}."
        add_all(block + "attn_norm.weight", 1.0, _WIDTH)
        add(block + "ssm_in.weight", 2 * _INNER, _WIDTH)
        add(block + "ssm_conv1d.weight", _INNER, _KERNEL)
        add(block + "ssm_conv1d.bias", _INNER)
        add(block + "ssm_x.weight", _RANK + 2 * _STATE, _INNER)
        add(block + "ssm_dt.weight", _INNER, _RANK)
        add(block + "ssm_dt.bias", _INNER)
        add_all(block + "ssm_a", -0.5, _INNER, _STATE)
        add_all(block + "ssm_d", 1.0, _INNER)
        add(block + "ssm_out.weight", _WIDTH, _INNER)
