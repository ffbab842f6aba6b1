"""Tiny pipelines as folders: random weights, a made vocabulary, some megabytes. They need PyTorch.

Run in a process of its own, after `prepare_pytorch`: `main` reads the folder from stdin and writes one pipeline of each
architecture there.
"""

import sys
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast, T5Config, T5EncoderModel

WIDTH = 32


def main() -> None:
    folder = Path(sys.stdin.read().strip())
    torch.manual_seed(5)
    write_sd(folder / "tiny-sd")
    write_flux(folder / "tiny-flux")


def write_sd(folder: Path) -> None:
    torch.manual_seed(5)
    StableDiffusionPipeline(
        vae=_vae(4),
        text_encoder=_clip(),
        tokenizer=_tokenizer(folder),
        unet=UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(WIDTH, WIDTH * 2),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=WIDTH,
            attention_head_dim=8,
        ),
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def write_flux(folder: Path) -> None:
    torch.manual_seed(5)
    FluxPipeline(
        vae=_vae(4, shift=0.1),
        text_encoder=_clip(),
        tokenizer=_tokenizer(folder),
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=64, d_model=WIDTH, d_kv=8, d_ff=37, num_layers=1, num_heads=4, pad_token_id=0)
        ),
        tokenizer_2=_tokenizer(folder),
        transformer=FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            pooled_projection_dim=WIDTH,
            axes_dims_rope=[4, 4, 8],
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    ).save_pretrained(folder)


def _vae(channels: int, shift: float | None = None) -> Any:
    return AutoencoderKL(
        block_out_channels=(WIDTH, WIDTH, WIDTH, WIDTH),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=channels,
        norm_num_groups=8,
        layers_per_block=1,
        shift_factor=shift,
    )


def _clip() -> Any:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=64,
            hidden_size=WIDTH,
            intermediate_size=37,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=77,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
            projection_dim=WIDTH,
        )
    )


def _tokenizer(folder: Path) -> Any:
    """One token for each letter; words are spelt."""
    ids = {token: place for place, token in enumerate(("<s>", "</s>", "<unk>", *ascii_lowercase))}
    tokenizer = Tokenizer(WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)])
    del folder
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="</s>",
        model_max_length=77,
    )
