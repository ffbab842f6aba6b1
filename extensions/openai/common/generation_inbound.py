"""Generation fields → our sampling and limits. Pure."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from extensions.openai.common.generation_fields import GenerationFields, InertFields, SamplingFields
from modules.errors import BadRequest
from modules.requests import Limits
from modules.sampling import SAMPLER_ORDER, Sampling

_NEUTRAL: Final = Sampling()
_TRANSLATED: Final = frozenset({"top_k", "seed", "sampler_priority", "custom_token_bans"})
_TAKEN_OVER: Final = tuple(
    name for name in SamplingFields.model_fields if name in Sampling.__dataclass_fields__ and name not in _TRANSLATED
)
_WITHOUT_EFFECT: Final = MappingProxyType(
    {
        "penalty_alpha": 0,
        "guidance_scale": 1,
        "negative_prompt": "",
        "prompt_lookup_num_tokens": 0,
        "max_tokens_second": 0,
        "static_cache": False,
        "skip_special_tokens": True,
    }
)


def sampling_of(fields: SamplingFields, defaults: Sampling) -> Sampling:
    """What the request asks for, and `defaults` where it is silent. Raises BadRequest."""
    asked: dict[str, Any] = {name: getattr(fields, name) for name in _TAKEN_OVER if getattr(fields, name) is not None}
    if fields.top_k is not None:
        asked["top_k"] = max(fields.top_k, 0)
    if fields.seed is not None:
        asked["seed"] = None if fields.seed == -1 else fields.seed % 2**32
    if known := dict.fromkeys(name for name in fields.sampler_priority or () if name in SAMPLER_ORDER):
        asked["sampler_priority"] = tuple(known)
    if fields.custom_token_bans:
        asked["banned_tokens"] = _token_ids(fields.custom_token_bans)
    return replace(defaults, **asked)


def limits_of(fields: GenerationFields, *, max_tokens: int | None, n: int) -> Limits:
    """Raises BadRequest."""
    refuse_unavailable(fields, ("include_stop_str_in_output",))
    return Limits(
        max_tokens=None if fields.auto_max_new_tokens else max_tokens,
        min_tokens=fields.min_tokens or 0,
        stop=tuple(text for text in fields.stop or () if text),
        stop_token_ids=tuple(fields.stop_token_ids or ()),
        ignore_eos=bool(fields.ignore_eos or fields.ban_eos_token),
        n=n,
    )


def keep_alive_of(fields: GenerationFields) -> float | None:
    return fields.ttl if fields.keep_alive is None else fields.keep_alive


def refuse_unavailable(fields: GenerationFields, names: tuple[str, ...]) -> None:
    """Raises BadRequest for the first of `names` that is set: silence would change what the caller gets."""
    for name in names:
        if getattr(fields, name):
            raise unavailable(name)


def unavailable(param: str) -> BadRequest:
    return BadRequest(
        f"'{param}' is not available in this version. Leave it out.", param=param, code="unsupported_parameter"
    )


def ignored_parameters(fields: GenerationFields, unsupported: tuple[str, ...]) -> tuple[str, ...]:
    """The names of what the request asks for and does not get: nobody does it, or the model's backend
    (`unsupported`) does not."""
    inert = [name for name in _WITHOUT_EFFECT if _asks(fields, name, _WITHOUT_EFFECT[name])]
    missing = [name for name in unsupported if name in _TAKEN_OVER and _asks(fields, name, getattr(_NEUTRAL, name))]
    return (*inert, *missing)


def _asks(fields: InertFields, name: str, neutral: object) -> bool:
    value = getattr(fields, name)
    return value is not None and value != neutral


def _token_ids(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise BadRequest(
            "custom_token_bans must be token ids separated by commas.", param="custom_token_bans"
        ) from None
