"""From a folder to a pipeline on its device, as the options say."""

from importlib import import_module
from typing import Any, Final

import diffusers
import torch
from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting, DiffusionPipeline

from modules.backends.diffusers.drawing import DiffusersModel, Pipelines
from modules.backends.diffusers.folder import PipelineFolder
from modules.backends.diffusers.options import DiffusersOptions
from modules.backends.diffusers.spec import is_float32
from modules.engine.types import LoadSpec
from modules.errors import LoadFailed

_TYPES: Final = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
_DENOISERS: Final = ("transformer", "unet", "prior")
_ENCODERS: Final = ("text_encoder", "text_encoder_2", "text_encoder_3")


def load_pipeline(spec: LoadSpec, folder: PipelineFolder, options: DiffusersOptions) -> DiffusersModel:
    """Raises LoadFailed."""
    torch.set_num_threads(max(1, spec.threads))
    # It draws bars and warns of missing packages that are not needed.
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    device = device_of(options.image_device)
    arguments: dict[str, Any] = {
        "dtype": _type(options, folder, device),
        "use_safetensors": True,
        "local_files_only": True,
    }
    if folder.variant:
        arguments["variant"] = folder.variant
    if (quantization := _quantization(options, folder, device, arguments["dtype"])) is not None:
        arguments["quantization_config"] = quantization
    if folder.family.name == "sd":
        arguments |= {"safety_checker": None, "requires_safety_checker": False}
    try:
        first = DiffusionPipeline.from_pretrained(str(folder.path), **arguments)
        _adjust(first, options)
        pipelines = _pipelines(first, folder)
        for pipeline in {id(each): each for each in pipelines.all}.values():
            _place(pipeline, device, options)
    except LoadFailed:
        raise
    except Exception as error:
        words = str(error).replace(str(folder.path), folder.path.name)[:300]
        raise LoadFailed(f"diffusers cannot load {spec.name}: {words}") from error
    gpu = torch.cuda.memory_allocated(device) if device.startswith("cuda") else 0
    return DiffusersModel(spec, folder, pipelines, gpu_bytes=gpu)


def device_of(wanted: str) -> str:
    """Raises LoadFailed for one that PyTorch cannot use here."""
    name = wanted.lower()
    has_cuda, has_mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name in {"", "auto"}:
        return "cuda" if has_cuda else "mps" if has_mps else "cpu"
    kind, _, number = name.partition(":")
    if kind not in {"cpu", "cuda", "mps"} or not (number or "0").isdecimal():
        raise LoadFailed(f"--image-device {wanted[:20]!r} is unknown. Use cpu, cuda, cuda:1, mps or auto.")
    if (kind == "cuda" and not has_cuda) or (kind == "mps" and not has_mps):
        raise LoadFailed(f"The installed PyTorch cannot use {kind.upper()}. Set --image-device to cpu or auto.")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise LoadFailed(f"There is no device {name[:20]}: PyTorch sees {torch.cuda.device_count()}.")
    return name


def _type(options: DiffusersOptions, folder: PipelineFolder, device: str) -> torch.dtype:
    if options.image_dtype != "auto":
        return _TYPES[options.image_dtype]
    if device == "cpu":
        return torch.float32 if is_float32(folder) else torch.bfloat16
    # Cards before Ampere compute with bfloat16 in software.
    can_bfloat16 = not device.startswith("cuda") or torch.cuda.get_device_capability(device)[0] >= 8
    return torch.bfloat16 if can_bfloat16 else torch.float16


def _quantization(options: DiffusersOptions, folder: PipelineFolder, device: str, kind: torch.dtype) -> Any:
    """For the large parts. Raises LoadFailed where the package is missing."""
    if options.image_quant == "none":
        return None
    from diffusers import PipelineQuantizationConfig  # noqa: PLC0415

    parts = [part.name for part in folder.components if part.name in {*_DENOISERS, *_ENCODERS}]
    package, _, what = options.image_quant.partition("-")
    try:
        if package == "bnb":
            if not device.startswith("cuda"):
                raise LoadFailed(f"--image-quant {options.image_quant} needs a CUDA card.")
            backend = f"bitsandbytes_{what}"
            arguments: dict[str, Any] = {f"load_in_{what}": True}
            if what == "4bit":
                arguments |= {"bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": kind}
            return PipelineQuantizationConfig(
                quant_backend=backend, quant_kwargs=arguments, components_to_quantize=parts
            )
        return PipelineQuantizationConfig(
            quant_backend="torchao", quant_kwargs={"quant_type": _torchao_type(what)}, components_to_quantize=parts
        )
    except (ImportError, ValueError) as error:
        name = "bitsandbytes" if package == "bnb" else "torchao"
        raise LoadFailed(
            f"--image-quant {options.image_quant} needs the package {name}: pip install {name}."
        ) from error


def _torchao_type(what: str) -> Any:
    quantization = import_module("torchao.quantization")
    if what == "int8wo":
        return quantization.Int8WeightOnlyConfig()
    if what == "float8wo":
        return quantization.Float8WeightOnlyConfig()
    return quantization.Int4WeightOnlyConfig()


def _adjust(pipeline: Any, options: DiffusersOptions) -> None:
    pipeline.set_progress_bar_config(disable=True)
    if options.image_vae_tiling and hasattr(getattr(pipeline, "vae", None), "enable_tiling"):
        pipeline.vae.enable_tiling()
    denoiser = denoiser_of(pipeline)
    if options.image_attn_backend == "flash_attention_2" and hasattr(denoiser, "set_attention_backend"):
        denoiser.set_attention_backend("flash")
    if options.image_compile and denoiser is not None:
        denoiser.compile()


def denoiser_of(pipeline: Any) -> Any:
    return next((part for name in _DENOISERS if (part := getattr(pipeline, name, None)) is not None), None)


def _pipelines(first: Any, folder: PipelineFolder) -> Pipelines:
    """All of the same weights."""
    if folder.family.is_editor:
        return Pipelines(text=None if folder.family.needs_source else first, edit=first, inpaint=_inpaint(first))
    return Pipelines(text=first, image=_made(AutoPipelineForImage2Image, first), inpaint=_inpaint(first))


def _inpaint(first: Any) -> Any:
    return _made(AutoPipelineForInpainting, first)


def _made(kind: Any, first: Any) -> Any:
    """None where the library has no such pipeline for the architecture."""
    try:
        made = kind.from_pipe(first)
    except ValueError:
        return None
    made.set_progress_bar_config(disable=True)
    return made


def _place(pipeline: Any, device: str, options: DiffusersOptions) -> None:
    if device != "cpu" and options.image_sequential_offload:
        pipeline.enable_sequential_cpu_offload(device=device)
    elif device != "cpu" and options.image_cpu_offload:
        pipeline.enable_model_cpu_offload(device=device)
    elif device != "cpu":
        pipeline.to(device)
