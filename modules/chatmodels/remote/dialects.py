"""What single kinds of servers take in place of the usual fields. Pure.

llama-server ignores fields that it does not know, so what it has under another name is renamed, and a constraint that it
cannot hold is refused.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from modules.engine.types import Constraint
from modules.errors import NotSupported


class Dialect(StrEnum):
    """Whose fields a server takes beyond OpenAI's; USUAL are vLLM's."""

    USUAL = "usual"
    LLAMA_SERVER = "llama-server"


# llama.cpp, tools/server/README.md
_NAMES: Final = MappingProxyType(
    {
        "repetition_penalty": "repeat_penalty",
        "repetition_penalty_range": "repeat_last_n",
        "mirostat_mode": "mirostat",
    }
)
_DYNAMIC: Final = ("dynamic_temperature", "dynatemp_low", "dynatemp_high")
_LACKING: Final = (
    "smoothing_factor",
    "smoothing_curve",
    "epsilon_cutoff",
    "eta_cutoff",
    "tfs",
    "top_a",
    "encoder_repetition_penalty",
    "no_repeat_ngram_size",
    "temperature_last",
    "sampler_priority",
)


def dialect_of(entry: Mapping[str, Any]) -> Dialect:
    """By how a server lists its model."""
    return Dialect.LLAMA_SERVER if entry.get("owned_by") == "llamacpp" else Dialect.USUAL


def lacking(dialect: Dialect) -> tuple[str, ...]:
    """The sampling fields that such a server does not have."""
    return _LACKING if dialect is Dialect.LLAMA_SERVER else ()


def translated(body: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """A body with vLLM's names as the server takes it."""
    if dialect is Dialect.USUAL:
        return dict(body)
    left_out = {*_LACKING, *_DYNAMIC}
    written = {_NAMES.get(name, name): value for name, value in body.items() if name not in left_out}
    if body.get("dynamic_temperature"):
        low, high = body.get("dynatemp_low", 1.0), body.get("dynatemp_high", 1.0)
        written |= {"temperature": (low + high) / 2, "dynatemp_range": abs(high - low) / 2}
    if isinstance(body.get("tool_choice"), Mapping):
        # A name is ignored; the other tools have been left out.
        written["tool_choice"] = "required"
    return written


def constraint_fields(constraint: Constraint, dialect: Dialect) -> dict[str, Any]:
    """For a grammar or a regular expression. Raises NotSupported."""
    if dialect is Dialect.USUAL:
        usual = {"structured_outputs": {"regex" if constraint.kind == "regex" else "grammar": constraint.text}}
        # A llama-server that has not been asked for its models is not known as one.
        return usual | ({"grammar": constraint.text} if constraint.kind == "gbnf" else {})
    if constraint.kind != "gbnf":
        raise NotSupported(
            f"The server of this model, llama-server, takes a JSON schema or a GBNF grammar, and no {constraint.kind}.",
            param=constraint.param,
        )
    return {"grammar": constraint.text}
