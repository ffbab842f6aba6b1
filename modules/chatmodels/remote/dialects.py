"""What single kinds of servers take in place of the usual fields. Pure.

Most servers ignore fields that they do not know, so what they have under another name is renamed, sampling parameters
that they lack are named as such, and a constraint that they cannot hold is refused.
"""

from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from modules.engine.types import Constraint
from modules.errors import NotSupported
from modules.sampling import Sampling


class Dialect(StrEnum):
    """Whose fields a server takes beyond OpenAI's; a server that is none of these is sent vLLM's and ours."""

    USUAL = "usual"
    OURS = "this program"
    VLLM = "vLLM"
    SGLANG = "SGLang"
    LLAMA_SERVER = "llama-server"
    LM_STUDIO = "LM Studio"
    OLLAMA = "Ollama"
    OPENAI = "OpenAI"


# What stands under `owned_by` in their lists of models.
_OWNERS: Final = MappingProxyType(
    {
        "vllm": Dialect.VLLM,
        "sglang": Dialect.SGLANG,
        "llamacpp": Dialect.LLAMA_SERVER,
        "organization_owner": Dialect.LM_STUDIO,
        "library": Dialect.OLLAMA,
        "openai": Dialect.OPENAI,
        "openai-internal": Dialect.OPENAI,
        "system": Dialect.OPENAI,
    }
)
_EVERY_SAMPLER: Final = frozenset(field.name for field in fields(Sampling))
_OPENAIS: Final = frozenset(
    {
        "temperature",
        "do_sample",
        "top_p",
        "frequency_penalty",
        "presence_penalty",
        "seed",
        "logit_bias",
        "banned_tokens",
    }
)
_VLLMS: Final = _OPENAIS | {"top_k", "min_p", "repetition_penalty"}
# The sampling parameters that each has, by our names: vllm/entrypoints/openai/…/protocol.py; sglang/srt/entrypoints/openai/
# protocol.py; llama.cpp, tools/server/README.md; lmstudio.ai/docs, OpenAI compatibility; ollama, openai/openai.go.
_SAMPLERS: Final = MappingProxyType(
    {
        Dialect.VLLM: _VLLMS,
        Dialect.SGLANG: _VLLMS,
        Dialect.LLAMA_SERVER: _EVERY_SAMPLER
        - {
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
        },
        Dialect.LM_STUDIO: _OPENAIS | {"top_k", "repetition_penalty"},
        Dialect.OLLAMA: _OPENAIS - {"logit_bias", "banned_tokens"},
        Dialect.OPENAI: _OPENAIS,
    }
)
_NAMES: Final = MappingProxyType(
    {
        Dialect.LLAMA_SERVER: {
            "repetition_penalty": "repeat_penalty",
            "repetition_penalty_range": "repeat_last_n",
            "mirostat_mode": "mirostat",
        },
        Dialect.LM_STUDIO: {"repetition_penalty": "repeat_penalty"},
    }
)
_DYNAMIC: Final = ("dynamic_temperature", "dynatemp_low", "dynatemp_high")
_FORMS: Final = MappingProxyType({"regex": "regular expression", "gbnf": "GBNF grammar", "lark": "Lark grammar"})
# The field for each kind of constraint beside JSON schemas, which all take as `response_format`.
_CONSTRAINTS: Final = MappingProxyType(
    {
        Dialect.SGLANG: {"regex": "regex", "gbnf": "ebnf"},
        Dialect.LLAMA_SERVER: {"gbnf": "grammar"},
        Dialect.LM_STUDIO: {},
        Dialect.OLLAMA: {},
        Dialect.OPENAI: {},
    }
)


def dialect_of(entry: Mapping[str, Any]) -> Dialect:
    """By how a server lists its model."""
    owner = entry.get("owned_by")
    if owner == "user" and "status" in entry and "type" in entry:
        return Dialect.OURS
    return _OWNERS.get(owner, Dialect.USUAL) if isinstance(owner, str) else Dialect.USUAL


def lacking(dialect: Dialect) -> tuple[str, ...]:
    """The sampling parameters that such a server does not have."""
    return tuple(sorted(_EVERY_SAMPLER - _SAMPLERS.get(dialect, _EVERY_SAMPLER)))


def translated(body: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """A body with vLLM's names as the server takes it."""
    names = _NAMES.get(dialect, {})
    left_out = {*lacking(dialect), *(_DYNAMIC if dialect is Dialect.LLAMA_SERVER else ())}
    written = {names.get(name, name): value for name, value in body.items() if name not in left_out}
    if dialect is Dialect.LLAMA_SERVER:
        written |= _llama_temperature(body)
        if isinstance(body.get("tool_choice"), Mapping):
            # A name is ignored; the other tools have been left out.
            written["tool_choice"] = "required"
    if dialect is Dialect.OLLAMA and "messages" in written:
        written["messages"] = [_with_ollamas_thought(message) for message in written["messages"]]
    if dialect is Dialect.OPENAI and "messages" in written and "max_tokens" in written:
        # Models that think refuse the older name.
        written["max_completion_tokens"] = written.pop("max_tokens")
    return written


def without_end(dialect: Dialect) -> dict[str, Any]:
    """For a text completion as long as the context allows: servers end one after 16 tokens where nothing is said."""
    return {"auto_max_new_tokens": True} if dialect is Dialect.OURS else {"max_tokens": None}


def needs_length(dialect: Dialect) -> bool:
    """Whether text completions end after 16 tokens unless a number stands there, which has to fit into the context."""
    return dialect in {Dialect.VLLM, Dialect.SGLANG}


def constraint_fields(constraint: Constraint, dialect: Dialect) -> dict[str, Any]:
    """For a grammar or a regular expression. Raises NotSupported."""
    if dialect not in _CONSTRAINTS:
        usual = {"structured_outputs": {"regex" if constraint.kind == "regex" else "grammar": constraint.text}}
        # A llama-server that has not been asked for its models is not known as one.
        return usual | ({"grammar": constraint.text} if constraint.kind == "gbnf" and dialect is Dialect.USUAL else {})
    taken = _CONSTRAINTS[dialect]
    if constraint.kind not in taken:
        forms = " or ".join(["a JSON schema", *(f"a {_FORMS[kind]}" for kind in taken)])
        raise NotSupported(
            f"The server of this model, {dialect}, takes {forms}, and no {_FORMS.get(constraint.kind, constraint.kind)}.",
            param=constraint.param,
        )
    return {taken[constraint.kind]: constraint.text}


def _with_ollamas_thought(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"reasoning" if name == "reasoning_content" else name: value for name, value in message.items()}


def _llama_temperature(body: Mapping[str, Any]) -> dict[str, Any]:
    if not body.get("dynamic_temperature"):
        return {}
    low, high = body.get("dynatemp_low", 1.0), body.get("dynatemp_high", 1.0)
    return {"temperature": (low + high) / 2, "dynatemp_range": abs(high - low) / 2}
