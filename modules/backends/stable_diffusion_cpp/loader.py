"""Brings up a model of stable-diffusion.cpp."""

from pathlib import Path
from typing import Any, Final

from cyllama import sd

from modules.backends.base import read_options
from modules.backends.imaging.engine import ServedImageModel
from modules.backends.imaging.messages import ImageQuestion
from modules.backends.stable_diffusion_cpp.drawing import StableDiffusionCppModel
from modules.backends.stable_diffusion_cpp.families import ModelPart
from modules.backends.stable_diffusion_cpp.files import ImageModelFiles, read_image_model
from modules.backends.stable_diffusion_cpp.options import StableDiffusionCppOptions
from modules.engine.protocols import ReportProgress
from modules.engine.types import LoadSpec, ModelCard, ModelKind
from modules.errors import LoadFailed

_PATHS: Final = {
    ModelPart.CLIP_L: "clip_l_path",
    ModelPart.CLIP_G: "clip_g_path",
    ModelPart.T5: "t5xxl_path",
    ModelPart.LLM: "llm_path",
    ModelPart.LLM_VISION: "llm_vision_path",
    ModelPart.VAE: "vae_path",
}


class StableDiffusionCppLoader:
    questions: Final = ImageQuestion

    def probe(self, spec: LoadSpec) -> ModelCard:
        read_options(StableDiffusionCppOptions, spec)
        files = read_image_model(Path(spec.path))
        return ModelCard(
            name=spec.name,
            loader=spec.loader,
            context=0,
            vocabulary=0,
            kind=ModelKind.IMAGE,
            architecture=files.family.name,
            size_bytes=files.size,
            modalities=("image",),
        )

    def load(self, spec: LoadSpec, report: ReportProgress) -> ServedImageModel:
        files = read_image_model(Path(spec.path))
        options = read_options(StableDiffusionCppOptions, spec)
        try:
            context = sd.SDContext(_parameters(spec, files, options))
        except (RuntimeError, ValueError, OSError) as error:
            raise LoadFailed(
                f"stable-diffusion.cpp cannot load {spec.name}: tensors are missing or of other shapes than its architecture "
                f"({files.family.name}) has, the parts do not belong together, or there is too little memory."
            ) from error
        if not context.supports_image_generation:
            raise LoadFailed(f"{spec.name} makes no pictures.")
        report(1.0)
        return ServedImageModel(StableDiffusionCppModel(spec, files, options, context), spec)


def _parameters(spec: LoadSpec, files: ImageModelFiles, options: StableDiffusionCppOptions) -> Any:
    made = sd.SDContextParams()
    path = str(files.main.path)
    if files.main.is_prefixed:
        made.model_path = path
    else:
        made.diffusion_model_path = path
    for part, file in files.parts.items():
        if part in _PATHS:
            setattr(made, _PATHS[part], str(file.path))
    made.n_threads = max(1, spec.threads)
    made.diffusion_flash_attn = options.sd_cpp_flash_attention
    if options.sd_cpp_type != "file":
        made.wtype = sd.SDType[options.sd_cpp_type.upper()]
    # What only the older version has: it would load no encoder of pictures, and free the weights after the first.
    for name, value in (("vae_decode_only", False), ("free_params_immediately", False)):
        if hasattr(made, name):
            setattr(made, name, value)
    if options.sd_cpp_offload:
        _offload(made)
    return made


def _offload(parameters: Any) -> None:
    if hasattr(parameters, "offload_params_to_cpu"):
        parameters.offload_params_to_cpu = True
    else:
        parameters.params_backend = "cpu"
