"""What of a folder or of the load options is known to fail before the weights are read."""

from collections.abc import Iterator
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

import torch

from modules.backends.hub_folder import ModelFolder
from modules.backends.transformers.options import TransformersOptions
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import LoadFailed

# The packages that Transformers needs for weights that are quantized already, by the name of the format.
_PACKAGES: Final = MappingProxyType(
    {"bitsandbytes": "bitsandbytes", "gptq": "gptqmodel", "awq": "gptqmodel", "torchao": "torchao", "hqq": "hqq"}
)


def check(spec: LoadSpec, folder: ModelFolder, options: TransformersOptions) -> None:
    """Raises LoadFailed, in a sentence that says what to do instead."""
    for refusal in (*_of_folder(spec, folder), *_of_options(options), *_of_weights(folder)):
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


def _of_options(options: TransformersOptions) -> Iterator[str]:
    if options.load_in_4bit and options.load_in_8bit:
        yield "--load-in-4bit and --load-in-8bit exclude each other. Leave one of them out."
    if (options.load_in_4bit or options.load_in_8bit) and find_spec("bitsandbytes") is None:
        flag = "--load-in-4bit" if options.load_in_4bit else "--load-in-8bit"
        yield f"{flag} needs the package bitsandbytes. Install it, or leave the flag out."
    if options.attn_implementation == "flash_attention_2" and find_spec("flash_attn") is None:
        yield (
            "--attn-implementation flash_attention_2 needs the package flash-attn. Install it, or choose "
            "--attn-implementation auto."
        )
    elif options.attn_implementation == "flash_attention_2" and (options.cpu or not torch.cuda.is_available()):
        yield "--attn-implementation flash_attention_2 needs a graphics card. Choose --attn-implementation auto."


def _of_weights(folder: ModelFolder) -> Iterator[str]:
    package = _PACKAGES.get(folder.quantization)
    if package is not None and find_spec(package) is None:
        yield f"its weights are quantized with {folder.quantization}, for which the package {package} is missing."
