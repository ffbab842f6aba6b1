"""What of a folder or of the load options is known to fail before the weights are read."""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from types import MappingProxyType
from typing import Final

import torch

from modules.backends.hub_folder import ModelFolder
from modules.backends.transformers.estimate import is_quantizable
from modules.backends.transformers.library import transformers
from modules.backends.transformers.options import TransformersOptions
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import LoadFailed

# The packages that Transformers needs for weights that are quantized already, by the name of the format.
_PACKAGES: Final = MappingProxyType(
    {
        "bitsandbytes": ("bitsandbytes",),
        "gptq": ("optimum", "gptqmodel"),
        "awq": ("gptqmodel",),
        "compressed-tensors": ("compressed_tensors",),
        "torchao": ("torchao",),
        "hqq": ("hqq",),
    }
)
# Those that look ahead in prompts by default, whatever their configuration says.
_PREFIX_MODELS: Final = frozenset(("paligemma",))
_BITSANDBYTES: Final = "bitsandbytes"
_CPU: Final = "cpu"
# The weights that have a scale in common.
_BLOCK: Final = 64
_INSTEAD: Final = "take a version of the model that is not quantized"
_SHOWN: Final = 300


def check(spec: LoadSpec, folder: ModelFolder, options: TransformersOptions) -> None:
    """Raises LoadFailed, in a sentence that says what to do instead."""
    refusals = chain(
        _of_folder(spec, folder), _of_weights(folder, options), _of_options(options), _of_widths(folder, options)
    )
    for refusal in refusals:
        raise LoadFailed(f"{spec.name} cannot be loaded: {refusal}")


def _of_folder(spec: LoadSpec, folder: ModelFolder) -> Iterator[str]:
    if spec.kind is not ModelKind.CHAT:
        yield f"the Transformers loader runs models that write text, none for the kind {spec.kind}."
    if not folder.has_safetensors:
        if folder.has_pickles:
            yield (
                "its weights are pickles, which can run any code and are never read. Take a version of the model with "
                "safetensors files, or convert it on a machine that may run its code."
            )
        else:
            yield "there are no safetensors files in its folder. Download it again."
    if folder.needs_code and not spec.with_code:
        yield (
            "its folder brings Python code of its own, which is run only if the program was started with "
            "--trust-remote-code."
        )
    if not folder.needs_code and not folder.writes_text:
        yield f"its architecture {folder.architecture[:60]!a} does not write text."
    if folder.config.get("model_type") in _PREFIX_MODELS or folder.text.get("use_bidirectional_attention") is True:
        yield (
            "each token of its prompts looks at those after it, too, so that no prompt can be read in parts, as this loader "
            "does. Take another model."
        )


def _of_options(options: TransformersOptions) -> Iterator[str]:
    if options.load_in_4bit and options.load_in_8bit:
        yield "--load-in-4bit and --load-in-8bit exclude each other. Leave one of them out."
    if (options.load_in_4bit or options.load_in_8bit) and find_spec(_BITSANDBYTES) is None:
        flag = "--load-in-4bit" if options.load_in_4bit else "--load-in-8bit"
        yield f"{flag} needs the package bitsandbytes. {_installing(_BITSANDBYTES)}, or leave the flag out."
    elif (options.load_in_4bit or options.load_in_8bit) and not (_uses_gpu(options) or _runs_on_cpus()):
        flag = "--load-in-4bit" if options.load_in_4bit else "--load-in-8bit"
        yield f"{flag} needs a graphics card with CUDA, and {_no_gpu(options)}. Leave the flag out."
    if options.attn_implementation == "flash_attention_2" and find_spec("flash_attn") is None:
        yield (
            "--attn-implementation flash_attention_2 needs the package flash-attn. Install it, or choose "
            "--attn-implementation auto."
        )
    elif options.attn_implementation == "flash_attention_2" and not _uses_gpu(options):
        yield "--attn-implementation flash_attention_2 needs a graphics card. Choose --attn-implementation auto."


def _of_weights(folder: ModelFolder, options: TransformersOptions) -> Iterator[str]:
    """Of weights that are quantized already."""
    method = folder.quantization
    if not method:
        return
    if options.load_in_4bit or options.load_in_8bit:
        flag = "--load-in-4bit" if options.load_in_4bit else "--load-in-8bit"
        yield f"its weights are quantized with {method[:40]!a} already. Leave {flag} out."
    missing = [package for package in _PACKAGES.get(method, ()) if find_spec(package) is None]
    if missing:
        are = "package is" if len(missing) == 1 else "packages are"
        yield (
            f"its weights are quantized with {method}, for which the {are} missing: {', '.join(missing)}. "
            f"{_installing(*missing)}, or {_INSTEAD}."
        )
    elif not _uses_gpu(options) and not _can_do_without(method, options):
        yield (
            f"its weights are quantized with {method[:40]!a}, which needs a graphics card with CUDA, and "
            f"{_no_gpu(options)}. Otherwise {_INSTEAD}."
        )
    elif refusal := _quantizer_refusal(folder, method):
        yield refusal


def _quantizer_refusal(folder: ModelFolder, method: str) -> str:
    """What Transformers itself finds to be missing, which it would tell only when it loads; empty where nothing is."""
    quantizers = transformers.quantizers.auto
    if method not in quantizers.AUTO_QUANTIZATION_CONFIG_MAPPING and method != _BITSANDBYTES:
        return (
            f"its weights are quantized with {method[:40]!a}, a format that this version of Transformers does not know. "
            f"Instead {_INSTEAD}."
        )
    stated = dict(folder.quantization_config)
    try:
        quantizers.AutoHfQuantizer.from_config(stated, pre_quantized=True).validate_environment(device_map=None)
    except (ImportError, OSError, RuntimeError, ValueError, TypeError, AttributeError, KeyError) as error:
        said = " ".join(str(error).split())[:_SHOWN]
        return f"its weights are quantized with {method}, which does not work here: {said} Otherwise {_INSTEAD}."
    return ""


def _of_widths(folder: ModelFolder, options: TransformersOptions) -> Iterator[str]:
    """On CPUs that multiply numbers of 16 bits bitsandbytes packs blocks of weights, and fails where a row is not made of
    whole ones."""
    if not options.load_in_4bit or _uses_gpu(options) or not _packs_blocks():
        return
    for name, tensor in folder.tensors().items():
        if is_quantizable(name, tensor) and tensor.shape[1] % _BLOCK:
            yield (
                f"on this CPU --load-in-4bit needs layers whose width is a multiple of {_BLOCK}, and {name[:80]!a} has "
                f"{tensor.shape[1]}. Choose --load-in-8bit, or leave the flag out."
            )
            return


def _packs_blocks() -> bool:
    return bool(import_module(f"{_BITSANDBYTES}.functional").has_avx512bf16())


def _can_do_without(method: str, options: TransformersOptions) -> bool:
    """A graphics card, as far as is known before Transformers is asked."""
    return _runs_on_cpus() if method == _BITSANDBYTES else not (options.cpu and torch.cuda.is_available())


def _runs_on_cpus() -> bool:
    """Of bitsandbytes, since its version 0.46."""
    try:
        return _CPU in getattr(import_module(_BITSANDBYTES), "supported_torch_devices", ())
    except (ImportError, OSError, RuntimeError):
        return False


def _installing(*packages: str) -> str:
    named = " ".join(package.replace("_", "-") for package in packages)
    return f"Install what is missing into the program's environment (`python -m pip install {named}`)"


def _uses_gpu(options: TransformersOptions) -> bool:
    return torch.cuda.is_available() and not options.cpu


def _no_gpu(options: TransformersOptions) -> str:
    return "--cpu is set" if options.cpu else "there is none"
