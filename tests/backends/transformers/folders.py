"""Model folders for tests: SmolLM2 out of its GGUF file, and tiny ones of any architecture with random weights."""

import json
import os
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from modules.backends.transformers.library import transformers
from modules.engine.types import Adapter

CONTROL: Final = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
VOCABULARY: Final = 256 + len(CONTROL)
_RANK: Final = 4
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA: Final = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
}
GPT2 = {"model_type": "gpt2", "n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": 256}
GEMMA2 = {**LLAMA, "model_type": "gemma2", "sliding_window": 16, "query_pre_attn_scalar": 16}
HYBRID = {
    **LLAMA,
    "model_type": "lfm2",
    "num_hidden_layers": 4,
    "layer_types": ["conv", "full_attention", "conv", "full_attention"],
}


def converted_smollm2(gguf: Path) -> Path:
    """Beside the GGUF file, made when it is asked for first."""
    target = gguf.with_suffix("").with_name("SmolLM2-135M-Instruct")
    if target.is_dir():
        return target
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    config = transformers.GgufConfig(dequantize=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, quantization_config=config, dtype=torch.float32
    )
    model.save_pretrained(unfinished)
    transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(unfinished)
    unfinished.rename(target)
    return target


def tiny_folder(
    path: Path, config: dict[str, Any] | None = None, *, seed: int = 0, tokenizer: Tokenizer | None = None
) -> Path:
    """One token for each byte, and some control tokens, or the tokens of `tokenizer`; weights large enough for replies to
    differ."""
    tokenizer = tokenizer or byte_tokenizer()
    end = tokenizer.token_to_id(CONTROL[-1])
    traits = {
        "vocab_size": tokenizer.get_vocab_size(),
        "eos_token_id": end,
        "bos_token_id": None,
        "pad_token_id": None,
    }
    fields = {**(config or LLAMA), **traits}
    torch.manual_seed(seed)
    made = transformers.AutoConfig.for_model(fields.pop("model_type"), **fields)
    made.initializer_range = 0.2
    model = transformers.AutoModelForCausalLM.from_config(made, dtype=torch.float32)
    model.generation_config = transformers.GenerationConfig(eos_token_id=end)
    model.save_pretrained(path)
    tokenizer.save(str(path / "tokenizer.json"))
    (path / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    (path / "tokenizer_config.json").write_text('{"eos_token": "<|im_end|>"}', encoding="utf-8")
    return path


def byte_tokenizer() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: at for at, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in CONTROL])
    return tokenizer


def write_adapter(folder: Path, *, seed: int, width: int = 64, **config: Any) -> Adapter:
    """A random adapter on the queries of all layers, strong enough to be noticed."""
    folder.mkdir()
    stated = {"peft_type": "LORA", "r": _RANK, "lora_alpha": 32, "target_modules": ["q_proj"], "task_type": "CAUSAL_LM"}
    (folder / "adapter_config.json").write_text(json.dumps(stated | config), encoding="utf-8")
    numbers = torch.Generator().manual_seed(seed)
    tensors = {}
    for layer in range(3):
        place = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        tensors[f"{place}.lora_A.weight"] = torch.randn(_RANK, width, generator=numbers)
        tensors[f"{place}.lora_B.weight"] = torch.randn(64, _RANK, generator=numbers)
    save_file(tensors, folder / "adapter_model.safetensors")
    return Adapter(name=folder.name, path=str(folder))
