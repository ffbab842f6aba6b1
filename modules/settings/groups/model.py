"""The settings of the model: which one, how it is loaded, how many requests share it."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator

from modules.backends.llamacpp.options import CACHE_TYPE_SYNONYMS, CACHE_TYPES, DRAFT_ROWS
from modules.settings.option_values import Numbers, Words
from modules.settings.options import SettingsGroup, setting

# text-generation-webui's spellings.
_LOADER_SYNONYMS = {"llamacpp": "llama.cpp", "llama_cpp": "llama.cpp"}

_SPECULATION_SYNONYMS = {"none": "off", "draft-model": "draft"}


def _read_model(value: object) -> object:
    return None if isinstance(value, str) and value.lower() == "none" else value


def _read_loader(value: object) -> object:
    if not isinstance(value, str):
        return value
    name = value.lower()
    return None if name in {"none", "auto"} else _LOADER_SYNONYMS.get(name, value)


def _read_cache_type(value: object) -> object:
    if not isinstance(value, str):
        return value
    name = value.lower()
    return CACHE_TYPE_SYNONYMS.get(name, name)


def _read_speculation(value: object) -> object:
    if not isinstance(value, str):
        return value
    name = value.lower()
    return _SPECULATION_SYNONYMS.get(name, "ngram" if name.startswith("ngram-") else name)


ModelName = Annotated[str | None, BeforeValidator(_read_model)]
Loader = Annotated[Literal["llama.cpp", "scripted"] | None, BeforeValidator(_read_loader)]
Speculation = Annotated[Literal["auto", "off", "ngram", "draft"], BeforeValidator(_read_speculation)]
CacheType = Annotated[str, BeforeValidator(_read_cache_type)]


class ModelSettings(SettingsGroup, frozen=True):
    title: ClassVar[str] = "Model"

    model: ModelName = setting(None, "Model to load at start, by its name in the model folder.")
    model_dir: Path | None = setting(None, "Folder of the models, in place of models in the user data folder.")
    lora: Words = setting((), "LoRA adapters to apply at start, by their names in the folder of the adapters.")
    lora_dir: Path | None = setting(None, "Folder of the LoRA adapters, in place of loras in the user data folder.")
    models_max: int = setting(
        1, "Chat models that may be in memory at once, each in a process of its own.", ge=1, le=64
    )
    models_memory: float | None = setting(
        None,
        "GiB of main memory, and of memory on graphics cards, that all loaded models together may take; 0 sets no bound. "
        "Without it, what is free less a reserve, and no bound for a single model.",
        ge=0,
        le=2**20,
    )
    model_swap: bool = setting(
        False,
        "Let requests choose the model: one that names another model of the list has it loaded. The least recently used "
        "ones leave where there is no room, after their replies have ended. On with --models-max above 1.",
    )
    pin: Words = setting(
        (), "Models that stay loaded once they are: only an unload request ends them, never other models or idleness."
    )
    model_alias: Words = setting((), "Further names under which the API lists the loaded model.")
    loader: Loader = setting(None, "What runs the model; without it, chosen by the model's files.")
    ctx_size: int = setting(
        8192,
        "Context length in tokens, for prompt and reply together; 0 takes the model's own limit.",
        ge=0,
        le=2**24,
        aliases=("n_ctx", "max_seq_len"),
    )
    cache_type: CacheType = setting(
        "fp16",
        "KV cache type: q8_0 takes about half as much memory as fp16, q4_0 about a quarter.",
        pattern=f"^({'|'.join(CACHE_TYPES)})$",
        allowed=f"one of {', '.join(CACHE_TYPES)}",
    )
    parallel: int = setting(8, "Requests that are processed in parallel; more wait in the queue.", ge=1, le=256)
    max_queue: int = setting(256, "Requests that may wait in the queue; further ones are told to retry later.", ge=0)
    kv_cells: int = setting(
        0, "Size of the KV cache in tokens, shared by all requests; 0 means as many as --ctx-size.", ge=0, le=2**28
    )
    idle_cells: int = setting(
        -1,
        "Tokens of finished requests that are kept beside the KV cache, for requests that go on from them; "
        "-1 means half as many as --kv-cells.",
        ge=-1,
        le=2**28,
    )
    idle_timeout: float = setting(
        0, "Minutes without a request after which the model is unloaded until the next one; 0 means never.", ge=0
    )
    trust_remote_code: bool = setting(
        False, "Let a model run the Python code in its own folder. Only the operator can allow it, never a request."
    )


class LlamaCppSettings(SettingsGroup, frozen=True):
    title: ClassVar[str] = "llama.cpp"

    gpu_layers: int = setting(
        -1, "Layers to offload to the GPU; -1 offloads as many as fit.", ge=-1, le=10_000, aliases=("n_gpu_layers",)
    )
    threads: int = setting(
        0, "Threads for generation; 0 takes one per physical core that the program may use.", ge=0, le=1024
    )
    threads_batch: int = setting(0, "Threads for prompt processing; 0 takes as many as --threads.", ge=0, le=1024)
    batch_size: int = setting(2048, "Logical batch size in tokens.", ge=1, le=65536)
    ubatch_size: int = setting(0, "Physical batch size in tokens; 0 takes 512 with a GPU, 128 without.", ge=0, le=65536)
    flash_attn: Literal["auto", "on", "off"] = setting(
        "auto",
        "Flash attention; auto uses it wherever the model and the hardware allow it. Without a GPU, off computes a "
        "prompt the same however it is cut into batches, and is slower.",
    )
    swa_full: bool = setting(True, "Full-size KV cache for sliding-window attention, so that prompts can be reused.")
    no_mmap: bool = setting(False, "Load the model into memory instead of memory-mapping its file.")
    mlock: bool = setting(False, "Lock the model in memory, so that it is not swapped out.")
    numa: bool = setting(False, "Distribute memory over the NUMA nodes of the machine.")
    no_kv_offload: bool = setting(False, "Keep the KV cache in main memory although layers are on the GPU.")
    tensor_split: Numbers = setting((), "Share of the model for each GPU, as proportions: 3,1.")
    split_mode: Literal["layer", "row", "tensor", "none"] = setting(
        "layer", "How the model is split across several GPUs."
    )
    speculation: Speculation = setting(
        "auto",
        "Speculative decoding: draft proposes tokens with the draft model, ngram with what followed the same tokens in the "
        "prompt or the reply; auto uses the draft model where one is named. Either pauses by itself where its tokens are "
        "seldom accepted.",
        aliases=("spec_type",),
    )
    model_draft: ModelName = setting(
        None,
        "Draft model for speculative decoding with --model, by its name in the model folder: a smaller one with the same "
        "vocabulary. Speculation pauses by itself where its tokens are seldom accepted.",
    )
    draft_max: int = setting(
        8,
        "Maximum number of tokens that the draft model proposes at once.",
        ge=1,
        le=DRAFT_ROWS,
        aliases=("draft", "draft_n"),
    )
    ctx_size_draft: int = setting(0, "Context length of the draft model; 0 takes the main model's.", ge=0, le=2**24)
    gpu_layers_draft: int = setting(
        -1,
        "Layers of the draft model to offload to the GPU; -1 offloads as many as fit.",
        ge=-1,
        le=10_000,
        aliases=("n_gpu_layers_draft",),
    )
