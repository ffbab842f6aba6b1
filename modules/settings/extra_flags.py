"""`--extra-flags` of text-generation-webui: flags of llama-server, each of which has one here or none."""

import shlex
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from modules.settings.options import Option

# Flags of llama-server whose names differ from those here.
_OURS: Final = MappingProxyType(
    {
        "b": "--batch-size",
        "c": "--ctx-size",
        "cache-ram": "--idle-cells",
        "cache-type-k": "--cache-type",
        "cache-type-v": "--cache-type",
        "cmoe": "--cpu-moe",
        "ctk": "--cache-type",
        "ctv": "--cache-type",
        "cd": "--ctx-size-draft",
        "dev": "--device",
        "draft-n": "--draft-max",
        "fa": "--flash-attn",
        "fit": "--fit or --no-fit",
        "fitt": "--fit-target",
        "m": "--model",
        "md": "--model-draft",
        "mg": "--main-gpu",
        "mm": "--mmproj",
        "ncmoe": "--n-cpu-moe",
        "ngl": "--gpu-layers",
        "ngld": "--gpu-layers-draft",
        "nkvo": "--no-kv-offload",
        "np": "--parallel",
        "ot": "--override-tensor",
        "sm": "--split-mode",
        "t": "--threads",
        "tb": "--threads-batch",
        "ts": "--tensor-split",
        "ub": "--ubatch-size",
    }
)
_NEEDLESS: Final = frozenset({"cont-batching", "cb", "jinja", "kv-unified", "kvu", "metrics", "no-webui"})
_MAX_SHOWN: Final = 40


def refusal_of(text: str, options: Mapping[str, Option]) -> str:
    """Why extra flags are not taken, with what to write in place of each. `options` are the settings by flag."""
    advice = "; ".join(dict.fromkeys(f"{shown}: {_ours(name, options)}" for name, shown in _flags(text)))
    return f"--extra-flags is not taken, since every flag has a name of its own here{': ' if advice else ''}{advice}"


def _ours(name: str, options: Mapping[str, Option]) -> str:
    plain = name.lstrip("-").replace("_", "-")
    if plain in _NEEDLESS:
        return "leave it out, it is always so"
    if plain in _OURS:
        return f"use {_OURS[plain]}"
    return f"use --{plain}" if f"--{plain}" in options else "there is none; leave it out"


def _flags(text: str) -> Iterator[tuple[str, str]]:
    """Names of the flags in `text`, as flags of a command line or as flag1=value1,flag2."""
    if not text.lstrip().startswith("-"):
        names = [item.partition("=")[0].strip() for item in text.split(",")]
    else:
        try:
            words = shlex.split(text)
        except ValueError:
            words = text.split()
        # A number below zero is a value.
        names = [word.partition("=")[0] for word in words if word.startswith("-") and not word[1:2].isdigit()]
    yield from ((name, ascii(name[:_MAX_SHOWN])[1:-1]) for name in names if name)
