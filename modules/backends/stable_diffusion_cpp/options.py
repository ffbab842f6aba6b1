"""The options of the stable-diffusion.cpp backend."""

from typing import ClassVar, Literal

from modules.settings.options import SettingsGroup, setting


class StableDiffusionCppOptions(SettingsGroup, frozen=True):
    title: ClassVar[str] = "stable-diffusion.cpp: pictures"

    sd_cpp_type: Literal["file", "f32", "f16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"] = setting(
        "file",
        "Type that the weights of an image file are converted to while it is loaded; file keeps the ones that it has.",
        label="Type of weights",
    )
    sd_cpp_vae_tiling: Literal["auto", "on", "off"] = setting(
        "auto",
        "Decode pictures in tiles, which needs less memory and more time; auto does so above 768 × 768 pixels.",
        label="Decode in tiles",
    )
    sd_cpp_flash_attention: bool = setting(
        False,
        "Compute with flash attention: large pictures need less memory, and processors more time.",
        label="Flash attention",
    )
    sd_cpp_offload: bool = setting(
        False,
        "Keep the weights of an image model in main memory, and on the graphics card only what computes.",
        label="Offload weights",
    )
