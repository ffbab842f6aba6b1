"""What architectures of image models are made for, by the names of their pipelines."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineFamily:
    """`side` is the size that it draws best where its files state none, `multiple` what sides are multiples of. `guidance`
    is given as the argument `guidance_field`. `is_editor` follows an instruction on what to change in a picture, and
    `needs_source` cannot draw without one; it looks at `references` further pictures. `distilled` are steps and guidance of
    those that were trained for few steps."""

    name: str
    side: int = 1024
    multiple: int = 16
    steps: int = 28
    guidance: float = 5.0
    guidance_field: str = "guidance_scale"
    uses_negative_prompt: bool = True
    is_editor: bool = False
    needs_source: bool = False
    references: int = 0
    distilled: tuple[int, float] | None = None


# A pipeline belongs to the first whose beginning its class name has.
_FAMILIES: Final = (
    ("StableDiffusion3", PipelineFamily(name="sd3", guidance=7.0)),
    ("StableDiffusionXL", PipelineFamily(name="sdxl", multiple=8, steps=30, guidance=7.0, distilled=(4, 0.0))),
    ("StableDiffusion", PipelineFamily(name="sd", side=512, multiple=8, steps=25, guidance=7.5, distilled=(4, 0.0))),
    (
        "LatentConsistency",
        PipelineFamily(name="lcm", side=512, multiple=8, steps=4, guidance=8.5, uses_negative_prompt=False),
    ),
    ("FluxKontext", PipelineFamily(name="flux-kontext", guidance=2.5, uses_negative_prompt=False, is_editor=True)),
    (
        "Flux2Klein",
        PipelineFamily(
            name="flux2-klein", steps=4, guidance=1.0, uses_negative_prompt=False, is_editor=True, references=3
        ),
    ),
    ("Flux2", PipelineFamily(name="flux2", guidance=4.0, uses_negative_prompt=False, is_editor=True, references=3)),
    ("Flux", PipelineFamily(name="flux", guidance=3.5, uses_negative_prompt=False, distilled=(4, 0.0))),
    ("ZImage", PipelineFamily(name="z-image", guidance=4.0, distilled=(9, 0.0))),
    (
        "QwenImageEditPlus",
        PipelineFamily(
            name="qwen-image-edit-plus",
            steps=40,
            guidance=4.0,
            guidance_field="true_cfg_scale",
            is_editor=True,
            needs_source=True,
            references=2,
        ),
    ),
    (
        "QwenImageEdit",
        PipelineFamily(
            name="qwen-image-edit",
            steps=40,
            guidance=4.0,
            guidance_field="true_cfg_scale",
            is_editor=True,
            needs_source=True,
        ),
    ),
    (
        "QwenImage",
        PipelineFamily(name="qwen-image", steps=40, guidance=4.0, guidance_field="true_cfg_scale", distilled=(8, 1.0)),
    ),
    ("PixArt", PipelineFamily(name="pixart", steps=20, guidance=4.5)),
    ("Sana", PipelineFamily(name="sana", multiple=32, steps=20, guidance=4.5)),
    ("AuraFlow", PipelineFamily(name="auraflow", steps=50, guidance=3.5)),
    ("Lumina", PipelineFamily(name="lumina", steps=30, guidance=4.0)),
    ("Chroma", PipelineFamily(name="chroma", steps=35, guidance=5.0)),
    ("CogView", PipelineFamily(name="cogview", multiple=32, steps=50, guidance=5.0)),
    ("Hunyuan", PipelineFamily(name="hunyuan", steps=50, guidance=5.0)),
    ("Kandinsky3", PipelineFamily(name="kandinsky3", multiple=64, steps=25, guidance=3.0)),
)
_OTHER: Final = PipelineFamily(name="", multiple=32)
# Words in the names of folders whose models were distilled for few steps.
_FEW_STEPS: Final = ("turbo", "schnell", "lightning", "hyper")
# Pipelines of folders that make no single pictures.
_OTHER_KINDS: Final = (
    "Video",
    "Audio",
    "Animate",
    "Upscale",
    "Depth2Img",
    "Wan",
    "LTX",
    "Mochi",
    "Music",
    "Shap",
    "Layered",
)


def family_of(pipeline: str) -> PipelineFamily:
    """Of a pipeline's class name."""
    return next((family for beginning, family in _FAMILIES if pipeline.startswith(beginning)), _OTHER)


def makes_pictures(pipeline: str) -> bool:
    return pipeline.endswith("Pipeline") and not any(word in pipeline for word in _OTHER_KINDS)


def is_distilled(folder_name: str) -> bool:
    """Whether the name says that few steps are enough."""
    return any(word in folder_name.lower() for word in _FEW_STEPS)
