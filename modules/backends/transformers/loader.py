"""Brings up a folder of Hugging Face's format as a backend."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch

from modules.backends.base import read_options
from modules.backends.cores import usable_cores
from modules.backends.hub.adapter import check_adapter
from modules.backends.hub.cache_size import context_of
from modules.backends.hub.card import hub_card
from modules.backends.hub.tokenizer import HubTokenizer
from modules.backends.hub_folder import ModelFolder
from modules.backends.transformers import attention
from modules.backends.transformers.adapters import PeftAdapters
from modules.backends.transformers.backend import TransformersBackend
from modules.backends.transformers.estimate import GPU_PROGRAM, cache_bytes, cache_cells, picture_bytes
from modules.backends.transformers.library import transformers
from modules.backends.transformers.options import AUTO, TransformersOptions
from modules.backends.transformers.pictures.cells import PictureCells
from modules.backends.transformers.pictures.tokenizer import HubMediaTokenizer
from modules.backends.transformers.pictures.trial import picture_trial, tell_blind
from modules.backends.transformers.refusals import check
from modules.backends.transformers.runners import PackedRunner, Runner, packs, single_runner
from modules.engine.protocols import ReportProgress
from modules.engine.types import LoadSpec, MediaKind, ModelCard
from modules.errors import LoadFailed

_SHOWN: Final = 400
_CPU: Final = "cpu"
# Transformers' class that finds the architecture of a model that sees.
_SEER: Final = "AutoModelForImageTextToText"


class TransformersLoader:
    def probe(self, spec: LoadSpec) -> ModelCard:
        folder = ModelFolder.read(Path(spec.path))
        check(spec, folder, read_options(TransformersOptions, spec))
        for adapter in spec.adapters:
            check_adapter(adapter)
        return hub_card(spec, folder, HubTokenizer(folder, folder.number("vocab_size")))

    def load(self, spec: LoadSpec, report: ReportProgress) -> TransformersBackend:
        folder = ModelFolder.read(Path(spec.path))
        options = read_options(TransformersOptions, spec)
        check(spec, folder, options)
        torch.set_num_threads(options.torch_threads or usable_cores())
        attention.register()
        transformers.utils.logging.disable_progress_bar()
        report(0.05)
        model = _model(spec, folder, options)
        report(0.95)
        try:
            runner, pictures = _tried(spec, folder, options, model)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise LoadFailed(f"Transformers cannot compute with {spec.name} here: {_said(error)}") from error
        width = int(model.get_output_embeddings().weight.shape[0])
        tokenizer = HubTokenizer(folder, width) if pictures is None else HubMediaTokenizer(folder, width, pictures)
        growth = cache_bytes(folder, spec, options, model.dtype.itemsize)
        if pictures is not None:
            growth += picture_bytes(folder, model.dtype.itemsize)
        is_on_cpu = model.device.type == _CPU
        card = replace(
            hub_card(spec, folder, tokenizer),
            parameters=sum(each.numel() for each in model.parameters()),
            # The cache is not there yet, nor is what pictures are seen in; they will be where the model is.
            growth_bytes=growth if is_on_cpu else 0,
            gpu_bytes=0 if is_on_cpu else torch.cuda.memory_reserved() + GPU_PROGRAM + growth,
        )
        if pictures is not None:
            card = replace(card, modalities=(*card.modalities, MediaKind.IMAGE))
        adapters = PeftAdapters(model, spec.adapters)
        report(1.0)
        return TransformersBackend(
            runner, tokenizer, card, adapters, cells=cache_cells(folder, spec, options), pictures=pictures
        )


def _tried(
    spec: LoadSpec, folder: ModelFolder, options: TransformersOptions, model: Any
) -> tuple[Runner, PictureCells | None]:
    """What computes as the model does, and how it reads pictures. Raises LoadFailed."""
    trial = picture_trial(spec, folder, model)
    tries = options.attn_implementation == AUTO and not _mixes_lengths(folder, spec)
    is_packed = tries and packs(model)
    runner: Runner | None = PackedRunner(model) if is_packed else single_runner(model)
    if runner is None:
        raise LoadFailed(
            f"{spec.name} cannot be loaded: its architecture does not go on from what it has read before, as replies "
            "need. Take it in another format, for another loader."
        )
    if not is_packed:
        logging.getLogger(__name__).warning(
            "%s computes one reply after another: its architecture has no packed attention", spec.name
        )
    pictures = None if trial is None else trial.passed(runner)
    if trial is not None and pictures is None:
        tell_blind(spec, "its architecture cannot read them in parts, among other requests")
    return runner, pictures


def _model(spec: LoadSpec, folder: ModelFolder, options: TransformersOptions) -> Any:
    """Never from pickles, never from a hub. Raises LoadFailed."""
    uses_gpu = torch.cuda.is_available() and not options.cpu
    fields: dict[str, Any] = {
        "dtype": _dtype(options, uses_gpu=uses_gpu),
        "attn_implementation": None if options.attn_implementation == AUTO else options.attn_implementation,
        "device_map": _placement(folder, options, uses_gpu=uses_gpu),
        "quantization_config": _quantization(options, uses_gpu=uses_gpu),
    }
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        model = _opened(spec, folder, given)
    except torch.OutOfMemoryError as error:
        raise LoadFailed(f"There is not enough memory for {spec.name}. Load it with --load-in-4bit.") from error
    except MemoryError as error:
        raise LoadFailed(f"There is not enough memory for {spec.name}.") from error
    except LoadFailed:
        raise
    except Exception as error:
        raise LoadFailed(f"Transformers cannot load {spec.name}: {_said(error)}") from error
    return model.eval()


def _opened(spec: LoadSpec, folder: ModelFolder, fields: dict[str, Any]) -> Any:
    """The part that writes alone, with a line in the log, where the part that sees needs a package that is missing."""
    if not folder.loads_as(_SEER):
        return _read(transformers.AutoModelForCausalLM, spec, folder, fields)[0]
    try:
        return _read(getattr(transformers, _SEER), spec, folder, fields)[0]
    except ImportError as error:
        if folder.needs_code or folder.quantization or "model_type" not in folder.text:
            raise
        tell_blind(spec, f"its part that sees needs a package that is missing: {_said(error)}")
    config = transformers.AutoConfig.for_model(**folder.text)
    model, found = _read(transformers.AutoModelForCausalLM, spec, folder, {**fields, "config": config})
    if missing := found["missing_keys"]:
        raise LoadFailed(f"{spec.name} cannot be loaded: its weights lack {len(missing)} of the part that writes.")
    return model


def _read(kind: Any, spec: LoadSpec, folder: ModelFolder, fields: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The model, and which weights were missing."""
    model, found = kind.from_pretrained(
        str(folder.path),
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=spec.with_code,
        output_loading_info=True,
        **fields,
    )
    return model, found


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:_SHOWN]


def _dtype(options: TransformersOptions, *, uses_gpu: bool) -> Any:
    if options.dtype != AUTO:
        return getattr(torch, options.dtype)
    return AUTO if uses_gpu else torch.float32


def _placement(folder: ModelFolder, options: TransformersOptions, *, uses_gpu: bool) -> Any:
    if uses_gpu:
        return AUTO
    # Formats for graphics cards take the first that there is, unless they are told.
    is_quantized = bool(folder.quantization) or options.load_in_4bit or options.load_in_8bit
    return {"": _CPU} if is_quantized else None


def _quantization(options: TransformersOptions, *, uses_gpu: bool) -> Any:
    # It tells each of its layers at each step that it rounds.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if not (options.load_in_4bit or options.load_in_8bit):
        return None
    return transformers.BitsAndBytesConfig(
        load_in_8bit=options.load_in_8bit,
        load_in_4bit=options.load_in_4bit,
        bnb_4bit_quant_type=options.quant_type,
        bnb_4bit_use_double_quant=options.use_double_quant,
        bnb_4bit_compute_dtype=torch.bfloat16 if uses_gpu else torch.float32,
    )


def _mixes_lengths(folder: ModelFolder, spec: LoadSpec) -> bool:
    """Whether the longest sequence of a step changes how all of it is computed: frequencies that depend on the length."""
    rope = folder.text.get("rope_parameters") or folder.text.get("rope_scaling")
    stated = rope if isinstance(rope, dict) else {}
    kind = str(stated.get("rope_type") or stated.get("type") or "")
    short = stated.get("original_max_position_embeddings") or folder.number("original_max_position_embeddings")
    bound = short or folder.trained_context
    return kind in {"dynamic", "longrope", "su"} and context_of(folder, spec) > int(bound)
