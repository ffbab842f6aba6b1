"""The smallest checkpoint that stable-diffusion.cpp draws with: Stable Diffusion 1 with the tiny UNet, 1.1 GB of random
weights. Its widths are fixed in the library."""

import json
import struct
from math import prod
from pathlib import Path
from typing import Final

import numpy as np

Shapes = dict[str, tuple[int, ...]]
CLIP: Final = "cond_stage_model.transformer.text_model."
UNET: Final = "model.diffusion_model."
VAE: Final = "first_stage_model."
WIDTH, TIME, TOKENS = 768, 1280, 49408


def affine(name: str, *shape: int) -> Shapes:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def conv(name: str, outputs: int, inputs: int, size: int = 3) -> Shapes:
    return affine(name, outputs, inputs, size, size)


def shapes() -> Shapes:
    return {**clip(), **unet(), **vae("decoder"), **vae("encoder")}


def clip(prefix: str = CLIP) -> Shapes:
    found: Shapes = {f"{prefix}embeddings.token_embedding.weight": (TOKENS, WIDTH)}
    found[f"{prefix}embeddings.position_embedding.weight"] = (77, WIDTH)
    for layer in range(12):
        place = f"{prefix}encoder.layers.{layer}."
        for name in ("layer_norm1", "layer_norm2"):
            found |= affine(place + name, WIDTH)
        for name in ("k_proj", "out_proj", "q_proj", "v_proj"):
            found |= affine(f"{place}self_attn.{name}", WIDTH, WIDTH)
        found |= affine(f"{place}mlp.fc1", 4 * WIDTH, WIDTH) | affine(f"{place}mlp.fc2", WIDTH, 4 * WIDTH)
    return found | affine(f"{prefix}final_layer_norm", WIDTH)


def unet(channels: int = 4, prefix: str = UNET, width: int = WIDTH) -> Shapes:
    found = affine("time_embed.0", TIME, 320) | affine("time_embed.2", TIME, TIME)
    found |= conv("input_blocks.0.0", 320, channels)
    for block, inputs, outputs in ((1, 320, 320), (4, 320, 640), (7, 640, 1280)):
        found |= residual(f"input_blocks.{block}.0", inputs, outputs)
        found |= attention(f"input_blocks.{block}.1", outputs, width)
    found |= conv("input_blocks.3.0.op", 320, 320) | conv("input_blocks.6.0.op", 640, 640)
    sides = ((2560, 1280), (1920, 1280), None, (1920, 640), (960, 640), None, (960, 320), (640, 320))
    for block, side in enumerate(sides):
        if side is not None:
            found |= residual(f"output_blocks.{block}.0", *side)
            found |= attention(f"output_blocks.{block}.1", side[1], width)
    found |= conv("output_blocks.2.1.conv", 1280, 1280) | conv("output_blocks.5.2.conv", 640, 640)
    found |= affine("out.0", 320) | conv("out.2", 4, 320)
    return {prefix + name: shape for name, shape in found.items()}


def residual(name: str, inputs: int, outputs: int) -> Shapes:
    found = affine(f"{name}.in_layers.0", inputs) | conv(f"{name}.in_layers.2", outputs, inputs)
    found |= affine(f"{name}.emb_layers.1", outputs, TIME)
    found |= affine(f"{name}.out_layers.0", outputs) | conv(f"{name}.out_layers.3", outputs, outputs)
    return found | (conv(f"{name}.skip_connection", outputs, inputs, 1) if inputs != outputs else {})


def attention(name: str, size: int, width: int) -> Shapes:
    block = f"{name}.transformer_blocks.0."
    found = affine(f"{name}.norm", size) | conv(f"{name}.proj_in", size, size, 1)
    for number, seen in ((1, size), (2, width)):
        found[f"{block}attn{number}.to_q.weight"] = (size, size)
        found |= {f"{block}attn{number}.to_{part}.weight": (size, seen) for part in "kv"}
        found |= affine(f"{block}attn{number}.to_out.0", size, size)
    for number in (1, 2, 3):
        found |= affine(f"{block}norm{number}", size)
    found |= affine(f"{block}ff.net.0.proj", 8 * size, size) | affine(f"{block}ff.net.2", size, 4 * size)
    return found | conv(f"{name}.proj_out", size, size, 1)


def vae(half: str, prefix: str = VAE) -> Shapes:
    """The decoder widens a picture from 512 channels to 128, the encoder the other way."""
    is_decoder = half == "decoder"
    place = f"{prefix}{half}."
    ends = ((512, 4), (3, 128)) if is_decoder else ((128, 3), (8, 512))
    found = conv(f"{place}conv_in", *ends[0]) | conv(f"{place}conv_out", *ends[1])
    found |= affine(f"{place}norm_out", ends[1][1])
    for number in (1, 2):
        found |= decoded(f"{place}mid.block_{number}", 512, 512)
    found |= affine(f"{place}mid.attn_1.norm", 512)
    for name in ("q", "k", "v", "proj_out"):
        found |= conv(f"{place}mid.attn_1.{name}", 512, 512, 1)
    widths = (128, 256, 512, 512)
    at = ends[0][0]
    for level in reversed(range(4)) if is_decoder else range(4):
        where = f"{place}{'up' if is_decoder else 'down'}.{level}."
        for block in range(3 if is_decoder else 2):
            found |= decoded(f"{where}block.{block}", at, widths[level])
            at = widths[level]
        if level != (0 if is_decoder else 3):
            found |= conv(f"{where}{'upsample' if is_decoder else 'downsample'}.conv", at, at)
    outer = conv(f"{prefix}post_quant_conv", 4, 4, 1) if is_decoder else conv(f"{prefix}quant_conv", 8, 8, 1)
    return found | outer


def decoded(name: str, inputs: int, outputs: int) -> Shapes:
    found = affine(f"{name}.norm1", inputs) | conv(f"{name}.conv1", outputs, inputs)
    found |= affine(f"{name}.norm2", outputs) | conv(f"{name}.conv2", outputs, outputs)
    return found | (conv(f"{name}.nin_shortcut", outputs, inputs, 1) if inputs != outputs else {})


def write(path: Path, tensors: Shapes, *, is_random: bool = False) -> Path:
    """A safetensors file of 16 bits: all zero and without taking room on the disk, or with random weights."""
    header: dict[str, object] = {}
    end = 0
    for name, shape in tensors.items():
        begin, end = end, end + 2 * prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        if is_random:
            dice = np.random.default_rng(1)
            noise = (dice.standard_normal(2**20) * 0.03).astype(np.float16)
            for shape in tensors.values():
                file.write(np.resize(np.roll(noise, int(dice.integers(2**20))), prod(shape)).tobytes())
        file.truncate(8 + len(text) + end)
    return path
