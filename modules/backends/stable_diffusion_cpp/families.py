"""Architectures of image models, told by the names and shapes of their tensors."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

# Names without the prefix that checkpoints have, and dimensions, the slowest first.
Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


class ModelPart(StrEnum):
    """What an image model consists of; values are names for messages."""

    DIFFUSION = "diffusion model"
    CLIP_L = "text encoder CLIP-L"
    CLIP_G = "text encoder CLIP-G"
    T5 = "text encoder T5-XXL"
    LLM = "language model that reads prompts"
    LLM_VISION = "projector of the language model"
    VAE = "VAE"
    TINY_VAE = "TAESD"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFamily:
    """`side` is the size that it draws best, `multiple` what sides are multiples of, `encoders` the parts that read its
    prompts. `is_guided` models read the guidance as a number, in place of drawing each step twice. An `is_editor` follows an
    instruction on what to change in a picture; it looks at `references` further ones. `distilled` are steps and guidance of
    those that were trained for few steps."""

    name: str
    encoders: tuple[ModelPart, ...]
    side: int = 1024
    multiple: int = 16
    steps: int = 20
    guidance: float = 7.0
    is_guided: bool = False
    is_editor: bool = False
    references: int = 0
    distilled: tuple[int, float] = (4, 0.0)


_CLIPS: Final = (ModelPart.CLIP_L, ModelPart.CLIP_G)
_SD1: Final = ImageFamily(name="sd", encoders=(ModelPart.CLIP_L,), side=512, multiple=64)
_SD2: Final = ImageFamily(name="sd2", encoders=(ModelPart.CLIP_L,), side=768, multiple=64)
_SDXL: Final = ImageFamily(name="sdxl", encoders=_CLIPS, multiple=64, steps=30)
_FLUX: Final = ImageFamily(name="flux", encoders=(ModelPart.CLIP_L, ModelPart.T5), guidance=3.5, is_guided=True)
# By the width of what a UNet reads of the prompt.
_UNETS: Final = {768: _SD1, 1024: _SD2, 2048: _SDXL}
# The first whose tensors there are.
_BY_TENSORS: Final = (
    (
        "double_stream_modulation_img.",
        replace(_FLUX, name="flux2", encoders=(ModelPart.LLM,), guidance=4.0, is_editor=True, references=3),
    ),
    ("distilled_guidance_layer.", ImageFamily(name="chroma", encoders=(ModelPart.T5,), steps=26, guidance=4.0)),
    ("double_blocks.0.img_attn.", _FLUX),
    ("joint_blocks.0.", ImageFamily(name="sd3", encoders=(*_CLIPS, ModelPart.T5), steps=28, guidance=4.5)),
    (
        "noise_refiner.0.",
        ImageFamily(name="z-image", encoders=(ModelPart.LLM,), steps=28, guidance=4.0, distilled=(9, 0.0)),
    ),
    (
        "transformer_blocks.0.img_mod.",
        ImageFamily(name="qwen-image", encoders=(ModelPart.LLM,), guidance=2.5, distilled=(8, 1.0)),
    ),
)
# Films and sounds are made of similar tensors.
_OTHER_KINDS: Final = ("time_stack", "temporal", "individual_token_refiner", "control_model", "zero_convs", "audio")
_FEW_STEPS: Final = ("turbo", "schnell", "lightning", "hyper", "lcm", "klein", "distill")
_EDITORS: Final = ("kontext", "edit", "pix2pix")
_PIX2PIX_CHANNELS: Final = 8
# One of each kind of text encoder and decoder: where none of its words is found, it is not there.
_PARTS: Final = (
    (ModelPart.CLIP_L, ("text_model.embeddings.token_embedding.weight", "token_embd.weight")),
    (ModelPart.T5, ("encoder.block.0.layer.0.SelfAttention.q.weight", "enc.blk.0.attn_q.weight")),
    (ModelPart.LLM, ("layers.0.self_attn.q_proj.weight", "blk.0.attn_q.weight")),
    (ModelPart.LLM_VISION, ("v.blk.0.", "visual.blocks.0.")),
    (ModelPart.VAE, ("decoder.conv_in.weight", "decoder.conv1.weight", "decoder.mid.block_1.norm1.weight")),
    (ModelPart.TINY_VAE, ("decoder.layers.0.weight", "decoder.1.weight")),
)
_CLIP_G_WIDTH: Final = 1280


def family_of(shapes: Shapes, name: str) -> ImageFamily | None:
    """Of the tensors of a diffusion model, in a file of this name; None for what makes no pictures, or is not known."""
    if any(word in tensor for tensor in shapes for word in _OTHER_KINDS):
        return None
    found = _unet(shapes) or next(
        (family for mark, family in _BY_TENSORS if any(tensor.startswith(mark) for tensor in shapes)), None
    )
    return _as_named(found, shapes, name.lower()) if found is not None else None


def part_of(shapes: Shapes) -> ModelPart | None:
    """Of the tensors of a file that is no diffusion model."""
    for part, marks in _PARTS:
        for tensor, shape in shapes.items():
            if any(mark in tensor for mark in marks):
                is_large = part is ModelPart.CLIP_L and min(shape, default=0) == _CLIP_G_WIDTH
                return ModelPart.CLIP_G if is_large else part
    return None


def _unet(shapes: Shapes) -> ImageFamily | None:
    if "input_blocks.0.0.weight" not in shapes or not any(name.startswith("output_blocks.") for name in shapes):
        return None
    width = next((shape[-1] for name, shape in shapes.items() if name.endswith("attn2.to_k.weight") and shape), 768)
    family = _UNETS.get(width, _SDXL)
    channels = shapes["input_blocks.0.0.weight"][1:2]
    return replace(family, is_editor=True) if channels == (_PIX2PIX_CHANNELS,) else family


def _as_named(family: ImageFamily, shapes: Shapes, name: str) -> ImageFamily:
    """Models trained for few steps, and for edits, say so by their names only."""
    takes_guidance = any(tensor.startswith("guidance_in.") for tensor in shapes)
    if any(word in name for word in _FEW_STEPS) or (family.name == "flux" and not takes_guidance):
        steps, guidance = family.distilled
        family = replace(family, steps=steps, guidance=guidance)
        if family.side == _SD2.side:
            family = replace(family, side=_SD1.side)
    if any(word in name for word in _EDITORS) and family.name in {"flux", "qwen-image", "sd"}:
        family = replace(family, is_editor=True, references=0 if family.name == "sd" else 2)
    return family
