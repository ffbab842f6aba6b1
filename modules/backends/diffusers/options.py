"""The options of the diffusers backend."""

from typing import ClassVar, Literal

from modules.settings.options import SettingsGroup, setting


class DiffusersOptions(SettingsGroup, frozen=True):
    title: ClassVar[str] = "Diffusers: pictures"

    image_device: str = setting(
        "auto", "Device of image models: cpu, cuda, cuda:1, mps, or auto for the best that there is.", label="Device"
    )
    image_dtype: Literal["auto", "bfloat16", "float16", "float32"] = setting(
        "auto",
        "Type that an image model computes with; auto takes bfloat16 on graphics cards and float32 on the processor, where "
        "there is memory for it.",
        label="Type",
    )
    image_cpu_offload: bool = setting(
        False,
        "Keep the parts of an image model in main memory, and on the graphics card only the one that computes.",
        label="Offload parts",
    )
    image_sequential_offload: bool = setting(
        False, "The same for each layer: needs the least memory of the card, and is slow.", label="Offload layers"
    )
    image_quant: Literal["none", "bnb-8bit", "bnb-4bit", "torchao-int8wo", "torchao-fp4", "torchao-float8wo"] = setting(
        "none",
        "Quantise an image model while it is loaded; needs the package bitsandbytes or torchao.",
        label="Quantisation",
    )
    image_vae_tiling: bool = setting(
        False, "Decode large pictures in tiles, which needs less memory.", label="Decode in tiles"
    )
    image_attn_backend: Literal["sdpa", "flash_attention_2"] = setting(
        "sdpa", "How attention is computed; flash_attention_2 needs the package flash-attn.", label="Attention"
    )
    image_compile: bool = setting(
        False,
        "Compile an image model for the card: the first picture takes minutes longer, others less.",
        label="Compile",
    )
