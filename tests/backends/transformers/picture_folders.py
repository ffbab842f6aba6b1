"""Folders of tiny models that read pictures, with random weights and processors of their own."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken

from modules.backends.transformers.library import transformers
from tests.backends.transformers.folders import CONTROL, byte_tokenizer

_TEXT: Final = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 2048,
}
_EYE: Final = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
}
_SQUARE: Final = {"height": 32, "width": 32}


@dataclass(frozen=True, slots=True)
class Seer:
    """An architecture that sees. `token` is what stands for a picture in the text that its processor takes; its tokenizer
    knows some tokens by names."""

    name: str
    token: str
    controls: tuple[str, ...]
    named: tuple[tuple[str, str], ...] = ()


IDEFICS3: Final = Seer(
    "idefics3",
    "<image>",
    (
        "<image>",
        "<fake_token_around_image>",
        "<end_of_utterance>",
        "<global-img>",
        *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
    ),
)
SMOLVLM: Final = Seer("smolvlm", "<image>", (*IDEFICS3.controls, "<video>"))
QWEN2_VL: Final = Seer(
    "qwen2_vl",
    "<|vision_start|><|image_pad|><|vision_end|>",
    ("<|vision_start|>", "<|image_pad|>", "<|vision_end|>", "<|video_pad|>"),
)
QWEN3_VL: Final = Seer("qwen3_vl", QWEN2_VL.token, QWEN2_VL.controls)
QWEN3_5: Final = Seer("qwen3_5", QWEN2_VL.token, QWEN2_VL.controls)
LLAVA: Final = Seer("llava", "<image>", ("<image>",))
GEMMA3: Final = Seer(
    "gemma3",
    "<start_of_image>",
    ("<start_of_image>", "<image_soft_token>", "<end_of_image>"),
    (("image_token", "<image_soft_token>"), ("boi_token", "<start_of_image>"), ("eoi_token", "<end_of_image>")),
)
GEMMA4: Final = Seer(
    "gemma4",
    "<|image|>",
    ("<|image|>", "<|boi|>", "<|eoi|>", "<|audio|>", "<|boa|>", "<|eoa|>", "<|video|>"),
    (
        ("image_token", "<|image|>"),
        ("boi_token", "<|boi|>"),
        ("eoi_token", "<|eoi|>"),
        ("audio_token", "<|audio|>"),
        ("boa_token", "<|boa|>"),
        ("eoa_token", "<|eoa|>"),
    ),
)
# What it sees is read by layers of their own, not in the places of tokens.
MLLAMA: Final = Seer("mllama", "<|image|>", ("<|image|>", "<|python_tag|>"))
SEERS: Final = (SMOLVLM, QWEN2_VL, GEMMA3, IDEFICS3, LLAVA, QWEN3_VL, QWEN3_5, GEMMA4)


@dataclass(frozen=True, slots=True)
class Processor:
    """Written file by file: with all of its parts it cannot be made where torchvision is missing."""

    kind: str
    pictures: Any
    fields: dict[str, Any] = field(default_factory=dict)


def seeing_folder(path: Path, seer: Seer, *, seed: int = 0) -> Path:
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in seer.controls])
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=CONTROL[-1],
        pad_token=CONTROL[0],
        **({"extra_special_tokens": dict(seer.named)} if seer.named else {}),
    )
    ids = tokenizer.get_vocab(with_added_tokens=True)
    fields, processor = _MADE[seer.name](ids)
    torch.manual_seed(seed)
    end = ids[CONTROL[-1]]
    text = {**fields.pop("text_config"), "vocab_size": tokenizer.get_vocab_size(), "eos_token_id": end}
    text |= {"bos_token_id": end if seer is MLLAMA else None, "pad_token_id": ids[CONTROL[0]], "initializer_range": 0.2}
    made = transformers.AutoConfig.for_model(seer.name, text_config=text, **fields)
    made.vision_config.initializer_range = 0.2
    model = transformers.AutoModelForImageTextToText.from_config(made, dtype=torch.float32)
    # Some projections begin as zeros, and would see nothing.
    with torch.no_grad():
        for each in model.parameters():
            if not each.any():
                each.normal_(0, 0.2)
    model.generation_config = transformers.GenerationConfig(eos_token_id=end)
    model.save_pretrained(path)
    wrapped.save_pretrained(path)
    processor.pictures.save_pretrained(path)
    stated = {"processor_class": processor.kind, **processor.fields}
    (path / "processor_config.json").write_text(json.dumps(stated), encoding="utf-8")
    (path / "chat_template.jinja").write_text(_template(seer), encoding="utf-8")
    return path


def blind_gemma3n(path: Path) -> Path:
    """As its hub folders are: the part that sees needs timm, which is not among the packages here."""
    tokenizer = byte_tokenizer()
    words = tokenizer.get_vocab_size()
    kinds = ["sliding_attention", "full_attention"] * 2
    config = transformers.Gemma3nTextConfig(
        **_TEXT | {"num_hidden_layers": len(kinds), "layer_types": kinds, "sliding_window": 16},
        vocab_size=words,
        vocab_size_per_layer_input=words,
        hidden_size_per_layer_input=8,
        num_kv_shared_layers=2,
        laurel_rank=4,
        altup_num_inputs=2,
        eos_token_id=words - 1,
        bos_token_id=None,
        initializer_range=0.2,
    )
    torch.manual_seed(0)
    writes = transformers.Gemma3nForCausalLM(config).state_dict()
    del writes["lm_head.weight"]
    tensors = {name.replace("model.", "model.language_model.", 1): each for name, each in writes.items()}
    path.mkdir()
    save_file({**tensors, "model.vision_tower.timm_model.stem": torch.zeros(2)}, path / "model.safetensors")
    stated = {
        "architectures": ["Gemma3nForConditionalGeneration"],
        "model_type": "gemma3n",
        "text_config": config.to_dict(),
        "vision_config": {"model_type": "gemma3n_vision", "architecture": "mobilenetv5_300m_enc"},
    }
    (path / "config.json").write_text(json.dumps(stated), encoding="utf-8")
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=CONTROL[-1]).save_pretrained(path)
    return path


def _template(seer: Seer) -> str:
    """Of the kind that such folders bring: a list of parts, with the token where a picture is."""
    part = (
        "{% for part in message.content %}{% if part.type == 'image' %}"
        + seer.token
        + "{% else %}{{ part.text }}{% endif %}{% endfor %}"
    )
    return (
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{% if message.content is string %}"
        "{{ message.content }}{% else %}" + part + "{% endif %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


def _idefics3(ids: dict[str, int]) -> tuple[dict[str, Any], Processor]:
    pictures = transformers.Idefics3ImageProcessorPil(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    fields = {
        "text_config": {**_TEXT, "model_type": "llama"},
        "vision_config": _EYE,
        "image_token_id": ids["<image>"],
        "scale_factor": 2,
        "pad_token_id": ids[CONTROL[0]],
    }
    return fields, Processor("Idefics3Processor", pictures, {"image_seq_len": 4})


def _smolvlm(ids: dict[str, int]) -> tuple[dict[str, Any], Processor]:
    fields, made = _idefics3(ids)
    pictures = transformers.SmolVLMImageProcessorPil(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    return fields, Processor("SmolVLMProcessor", pictures, made.fields)


def _qwen2_vl(ids: dict[str, int]) -> tuple[dict[str, Any], Processor]:
    sizes = {"patch_size": 4, "merge_size": 2, "temporal_patch_size": 2}
    bounds = {"shortest_edge": 16 * 16, "longest_edge": 48 * 48}
    pictures = transformers.Qwen2VLImageProcessorPil(size=bounds, **sizes)
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]}
    fields = {
        "text_config": {**_TEXT, "rope_parameters": rope},
        "vision_config": {
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": 32,
            "num_heads": 4,
            "patch_size": 4,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
    }
    return fields, Processor("Qwen2VLProcessor", pictures)


def _qwen3_vl(ids: dict[str, int]) -> tuple[dict[str, Any], Processor]:
    """Layers of the part that writes get something of the picture, too."""
    fields, made = _qwen2_vl(ids)
    eye: dict[str, Any] = {
        **_EYE,
        "depth": 2,
        "num_heads": 4,
        "patch_size": 4,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    }
    eye |= {"out_hidden_size": 32, "num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1]}
    for name in ("num_hidden_layers", "num_attention_heads", "image_size"):
        del eye[name]
    return {**fields, "vision_config": eye}, Processor("Qwen3VLProcessor", made.pictures)


def _qwen3_5(ids: dict[str, int]) -> tuple[dict[str, Any], Processor]:
    """Recurrent layers beside attention."""
    fields, processor = _qwen3_vl(ids)
    del fields["vision_config"]["deepstack_visual_indexes"]
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2], "partial_rotary_factor": 1.0}
    text = {**_TEXT, "rope_parameters": rope, "layer_types": ["linear_attention", "full_attention"]}
    text |= {
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
    }
    return {**fields, "text_config": text}, processor


def _llava(ids: dict[str, int]) -> tuple[dict[str, Any], Processor]:
    pictures = transformers.CLIPImageProcessorPil(size=_SQUARE, crop_size=_SQUARE)
    fields = {
        "text_config": {**_TEXT, "model_type": "llama"},
        "vision_config": {**_EYE, "model_type": "clip_vision_model", "projection_dim": 32},
        "image_token_index": ids["<image>"],
        "image_seq_length": 16,
    }
    stated = {"patch_size": 8, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    return fields, Processor("LlavaProcessor", pictures, stated)


def _gemma3(ids: dict[str, int]) -> tuple[dict[str, Any], Processor]:
    pictures = transformers.Gemma3ImageProcessorPil(size=_SQUARE)
    fields = {
        "text_config": {
            **_TEXT,
            "query_pre_attn_scalar": 8,
            "sliding_window": 8,
            "tie_word_embeddings": False,
            "layer_types": ["sliding_attention", "full_attention"],
        },
        "vision_config": {**_EYE, "model_type": "siglip_vision_model"},
        "mm_tokens_per_image": 4,
        "tie_word_embeddings": False,
        "image_token_id": ids["<image_soft_token>"],
        "boi_token_id": ids["<start_of_image>"],
        "eoi_token_id": ids["<end_of_image>"],
    }
    return fields, Processor("Gemma3Processor", pictures, {"image_seq_length": 4})


def _gemma4(ids: dict[str, int]) -> tuple[dict[str, Any], Processor]:
    """The cells of a picture see each other in windows, layers have rows of their own for each token, and share keys."""
    pictures = transformers.Gemma4ImageProcessorPil(patch_size=4, max_soft_tokens=70, pooling_kernel_size=3)
    kinds = ["sliding_attention", "full_attention"] * 2
    eye: dict[str, Any] = {
        **_EYE,
        "num_key_value_heads": 4,
        "head_dim": 8,
        "patch_size": 4,
        "position_embedding_size": 256,
    }
    del eye["image_size"]
    fields = {
        "text_config": {
            **_TEXT,
            "num_hidden_layers": len(kinds),
            "layer_types": kinds,
            "sliding_window": 16,
            "hidden_size_per_layer_input": 8,
            "vocab_size_per_layer_input": len(ids),
            "num_kv_shared_layers": 2,
            "global_head_dim": 8,
            "use_bidirectional_attention": "vision",
            "tie_word_embeddings": False,
        },
        "vision_config": eye,
        "audio_config": None,
        "image_token_id": ids["<|image|>"],
        "boi_token_id": ids["<|boi|>"],
        "eoi_token_id": ids["<|eoi|>"],
        "tie_word_embeddings": False,
    }
    return fields, Processor("Gemma4Processor", pictures, {"image_seq_length": 70})


def _mllama(ids: dict[str, int]) -> tuple[dict[str, Any], Processor]:
    pictures = transformers.MllamaImageProcessorPil(size=_SQUARE, max_image_tiles=4)
    eye: dict[str, Any] = {**_EYE, "attention_heads": 4, "num_global_layers": 1, "vision_output_dim": 64}
    del eye["num_attention_heads"]
    fields = {
        "text_config": {**_TEXT, "num_hidden_layers": 3, "cross_attention_layers": [1]},
        "vision_config": {**eye, "intermediate_layers_indices": [0]},
        "image_token_index": ids["<|image|>"],
    }
    return fields, Processor("MllamaProcessor", pictures)


_MADE: Final = {
    "mllama": _mllama,
    "smolvlm": _smolvlm,
    "idefics3": _idefics3,
    "qwen2_vl": _qwen2_vl,
    "qwen3_vl": _qwen3_vl,
    "qwen3_5": _qwen3_5,
    "llava": _llava,
    "gemma3": _gemma3,
    "gemma4": _gemma4,
}
