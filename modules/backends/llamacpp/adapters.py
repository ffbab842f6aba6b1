"""Puts LoRA adapters onto a llama.cpp context."""

import ctypes
from collections.abc import Sequence
from typing import Any

from llama_cpp import llama_cpp as c

from modules.engine.types import Adapter
from modules.errors import LoadFailed


def apply_adapters(model: Any, context: Any, adapters: Sequence[Adapter]) -> None:
    """From now on `context` computes with all of `adapters`, which are freed with `model`. Raises LoadFailed."""
    if not adapters:
        return
    handles = (c.llama_adapter_lora_p_ctypes * len(adapters))(*(_opened(model, adapter) for adapter in adapters))
    scales = (ctypes.c_float * len(adapters))(*(adapter.scale for adapter in adapters))
    if c.llama_set_adapters_lora(context, handles, len(adapters), scales):
        raise LoadFailed(f"llama.cpp cannot apply {', '.join(adapter.name for adapter in adapters)} to this model.")


def _opened(model: Any, adapter: Adapter) -> Any:
    handle = c.llama_adapter_lora_init(model, adapter.path.encode())
    if not handle:
        raise LoadFailed(f"llama.cpp cannot read the adapter {adapter.name}: it is damaged, or made for another model.")
    return ctypes.cast(handle, c.llama_adapter_lora_p_ctypes)
