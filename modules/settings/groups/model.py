"""The settings of the model: which one, what runs it, how many requests share it.

What only one backend has is declared in its folder.
"""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator

from modules.backends.registry import Backends
from modules.engine.types import MAX_DRAFT
from modules.settings.option_values import Words
from modules.settings.options import SettingsGroup, setting

_SPECULATION_SYNONYMS = {"none": "off", "draft-model": "draft"}


def _read_model(value: object) -> object:
    return None if isinstance(value, str) and value.lower() == "none" else value


def _read_speculation(value: object) -> object:
    if not isinstance(value, str):
        return value
    name = value.lower()
    return _SPECULATION_SYNONYMS.get(name, "ngram" if name.startswith("ngram-") else name)


ModelName = Annotated[str | None, BeforeValidator(_read_model)]
Speculation = Annotated[Literal["auto", "off", "ngram", "draft"], BeforeValidator(_read_speculation)]
_LOADER: Final = "What runs the model; without it, chosen by the model's files."


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
    loader: str | None = setting(None, _LOADER)
    ctx_size: int = setting(
        8192,
        "Context length in tokens, for prompt and reply together; 0 takes the model's own limit, or what fits into memory.",
        ge=0,
        le=2**24,
        aliases=("n_ctx", "max_seq_len"),
        label="Context length",
        is_main=True,
    )
    parallel: int = setting(
        8,
        "Requests that are processed in parallel; more wait in the queue.",
        ge=1,
        le=256,
        label="Parallel slots",
        is_main=True,
    )
    max_queue: int = setting(256, "Requests that may wait in the queue; further ones are told to retry later.", ge=0)
    speculation: Speculation = setting(
        "auto",
        "Speculative decoding: ngram proposes what followed the same tokens in the prompt or the reply, draft what the draft "
        "model says; auto does both. All of them take what a request predicts, and compute what a constraint forces in one "
        "step. Only what pays by measurement is computed; off computes one token after the other.",
        aliases=("spec_type",),
    )
    model_draft: ModelName = setting(
        None,
        "Draft model for speculative decoding with --model, by its name in the model folder: a smaller one with the same "
        "vocabulary. Speculation pauses by itself where its tokens are seldom accepted.",
        label="Draft model",
    )
    draft_max: int = setting(
        8,
        "Maximum number of tokens that the draft model proposes at once.",
        ge=1,
        le=MAX_DRAFT,
        aliases=("draft", "draft_n"),
        label="Draft tokens",
    )
    ctx_size_draft: int = setting(
        0,
        "Context length of the draft model; 0 takes the main model's.",
        ge=0,
        le=2**24,
        label="Draft context length",
    )
    idle_timeout: float = setting(
        0, "Minutes without a request after which the model is unloaded until the next one; 0 means never.", ge=0
    )
    rerank_model: ModelName = setting(
        None, "Model that answers rerank requests which name none, by its name in the model folder; without it, any."
    )
    moderation_model: ModelName = setting(
        None,
        "Text classifier that answers moderation requests, by its name in the model folder: one with labels such as toxic or "
        "hate. Without it, any that is there, or else the embedding model.",
    )
    image_model: ModelName = setting(
        None,
        "Model that makes pictures for requests which name none, by its name in the folder image_models or models of the "
        "user data folder; without it, any that is there.",
    )
    speech_model: ModelName = setting(
        None, "Model that speaks for requests which name none, by its name in the model folder; without it, any."
    )
    speech_voice: str = setting(
        "",
        "Voice of speech requests which name none, and of replies that the page reads aloud; empty for the model's first.",
    )
    transcription_model: ModelName = setting(
        None, "Model that transcribes for requests which name none, by its name in the model folder; without it, any."
    )
    media_idle_timeout: float = setting(
        10,
        "Minutes without a request after which a model for pictures, speech or transcription is unloaded until the next "
        "one; 0 means never.",
        ge=0,
    )
    trust_remote_code: bool = setting(
        False, "Let a model run the Python code in its own folder. Only the operator can allow it, never a request."
    )


def loader_field(backends: Backends) -> Any:  # noqa: ANN401 - what pydantic takes for the default of a field
    """The declaration of `loader` where these backends are to choose from."""
    synonyms: dict[str, str | None] = {"none": None, "auto": None, **backends.spellings}
    return setting(None, _LOADER, choices=backends.names, synonyms=synonyms, label="Loader")
