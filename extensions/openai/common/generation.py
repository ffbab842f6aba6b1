"""Generation fields of requests → our sampling and limits; absent fields come from the settings."""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from pydantic import Field, field_validator

from extensions.openai.common.context import AnsweringRuntime
from extensions.openai.common.field_types import (
    Amount,
    Anything,
    Bound,
    Factor,
    Integer,
    LogitBias,
    MirostatMode,
    Number,
    Penalty,
    RequestModel,
    SamplerNames,
    Seconds,
    SequenceBreakers,
    Share,
    Stops,
    Temperature,
    TokenIds,
    TopK,
    Window,
)
from extensions.openai.structured.constraint import StructuredFields
from modules.errors import BadRequest
from modules.requests import AdapterChoice, Limits
from modules.sampling import OFF_BELOW_ZERO, SAMPLER_ORDER, Sampling, zero_if_negative

# Beyond, nothing but noise is left of a model.
_MAX_SCALE: Final = 1000


class StreamOptions(RequestModel):
    """OpenAI's options of a stream."""

    include_usage: bool | None = Field(None, description="Adds a last chunk with the usage of the whole request.")
    include_obfuscation: bool | None = Field(None, description="Accepted, without effect.")


class SamplingFields(RequestModel):
    """How the next token is drawn."""

    temperature: Temperature | None = Field(
        None, description="Divides the logits; 0 always takes the most likely token."
    )
    top_p: Share | None = Field(None, description="Keeps the most likely tokens whose probabilities add up to this.")
    top_k: TopK | None = Field(None, description="Keeps this many of the most likely tokens; 0 and -1 keep all.")
    min_p: Share | None = Field(None, description="Drops tokens below this share of the most likely one's probability.")
    typical_p: Share | None = Field(None, description="Locally typical sampling; 1 is off.")
    tfs: Share | None = Field(None, description="Tail-free sampling; 1 is off.")
    top_a: Share | None = Field(None, description="Drops tokens below this times the highest probability squared.")
    top_n_sigma: Amount | None = Field(None, description="Keeps logits within this many deviations of the highest.")
    epsilon_cutoff: Amount | None = Field(None, description="Drops tokens below this probability, in units of 1e-4.")
    eta_cutoff: Amount | None = Field(None, description="Eta sampling, in units of 1e-4.")
    xtc_threshold: Share | None = Field(None, description="Probability that makes a token a top choice for XTC.")
    xtc_probability: Share | None = Field(None, description="Chance of dropping all top choices but the last.")
    adaptive_target: Share | None = Field(None, description="Favours tokens near this probability; 0 is off.")
    adaptive_decay: Share | None = Field(None, description="Decay of adaptive sampling's average.")
    dynamic_temperature: bool | None = Field(None, description="Chooses the temperature by entropy.")
    dynatemp_low: Amount | None = Field(None, description="Lowest dynamic temperature.")
    dynatemp_high: Amount | None = Field(None, description="Highest dynamic temperature.")
    dynatemp_exponent: Amount | None = Field(None, description="Exponent of the curve between the two temperatures.")
    smoothing_factor: Amount | None = Field(None, description="Quadratic sampling; 0 is off.")
    smoothing_curve: Amount | None = Field(None, description="Curve of quadratic sampling.")
    dry_multiplier: Amount | None = Field(None, description="Strength of the DRY penalty; 0 is off.")
    dry_allowed_length: Window | None = Field(None, description="Longest repetition that DRY does not penalize.")
    dry_base: Amount | None = Field(None, description="Base of the DRY penalty's growth with the repetition's length.")
    dry_sequence_breakers: SequenceBreakers | None = Field(
        None, description="Strings across which DRY matches no repetition: a list, or strings in JSON notation."
    )
    repetition_penalty: Factor | None = Field(
        None, description="Multiplicative penalty for tokens that occurred; 1 is off."
    )
    frequency_penalty: Penalty | None = Field(None, description="Additive penalty for each occurrence of a token.")
    presence_penalty: Penalty | None = Field(None, description="Additive penalty for tokens that occurred.")
    repetition_penalty_range: Window | None = Field(
        None, description="Number of latest tokens the penalties look at; 0 and -1 mean all."
    )
    encoder_repetition_penalty: Factor | None = Field(None, description="Factor for tokens of the prompt.")
    no_repeat_ngram_size: Window | None = Field(None, description="Length of n-grams that may not repeat.")
    mirostat_mode: MirostatMode | None = Field(None, description="Version of Mirostat; 0 is off.")
    mirostat_tau: Amount | None = Field(None, description="Target surprise of Mirostat.")
    mirostat_eta: Amount | None = Field(None, description="Mirostat's learning rate.")
    do_sample: bool | None = Field(None, description="False always takes the most likely token.")
    temperature_last: bool | None = Field(None, description="Applies the temperature after the other samplers.")
    sampler_priority: SamplerNames | None = Field(
        None, description="Samplers in order: a list, or one text with a name per line."
    )
    seed: Integer | None = Field(None, description="Makes a reply reproducible; -1 chooses a random seed.")
    logit_bias: LogitBias | None = Field(None, description="Token id to added bias.")
    custom_token_bans: str | None = Field(None, description="Token ids, separated by commas, that are never sampled.")

    @field_validator(*OFF_BELOW_ZERO, mode="before")
    @classmethod
    def _off_below_zero(cls, value: object) -> object:
        return zero_if_negative(value)


class InertFields(RequestModel):
    """What other servers know and no backend here does. Values that ask for something are named in the response
    header X-Ignored-Parameters."""

    penalty_alpha: Number | None = Field(None, description="Contrastive search. Not supported.")
    guidance_scale: Number | None = Field(None, description="Classifier-free guidance. Not supported.")
    negative_prompt: str | None = Field(None, description="Belongs to guidance_scale. Not supported.")
    prompt_lookup_num_tokens: Bound = Field(None, description="Prompt lookup decoding. Not supported.")
    max_tokens_second: Number | None = Field(None, description="Pacing. Not done.")
    static_cache: bool | None = Field(None, description="Has no meaning here.")
    truncation_length: Bound = Field(None, description="Prompts that are too long are refused, not cut.")
    skip_special_tokens: bool | None = Field(None, description="Control tokens are never part of a reply.")


class LoraChoice(RequestModel):
    """A LoRA adapter, and how strongly it is applied."""

    name: Annotated[str, Field(min_length=1, max_length=256)]
    scale: Annotated[Number, Field(ge=-_MAX_SCALE, le=_MAX_SCALE)] | None = None


class PrefixFields(RequestModel):
    """What may be changed of a conversation for the sake of the cache."""

    prefix_repair: list[Literal["billing", "counters", "json", "system", "times", "tools", "whitespace"]] | None = (
        Field(
            None,
            max_length=64,
            description="Which repairs of the prompt's beginning may be done, in place of those set by the operator.",
        )
    )


def prefix_repair_of(fields: PrefixFields) -> tuple[str, ...] | None:
    return None if fields.prefix_repair is None else tuple(fields.prefix_repair)


class GenerationFields(StructuredFields, InertFields, SamplingFields):
    """What every generating request may say besides its prompt."""

    model: str | None = Field(None, description="Any name; an unknown one is answered by the default model.")
    keep_alive: Seconds | None = Field(
        None,
        description="Seconds after its last reply at which the model is unloaded: 0 at once, -1 never. Stays until a "
        "request says something else.",
    )
    ttl: Seconds | None = Field(None, description="The same as keep_alive.")
    lora: Annotated[list[LoraChoice], Field(max_length=64)] | None = Field(
        None,
        description="LoRA adapters for this request, in place of those of --lora: names of /v1/internal/lora/list, each with "
        "a scale (1 without it); several add up, [] is the model without any.",
    )
    stop: Stops | None = Field(
        None, description="Stop sequences: they end the reply and are not part of it; any number."
    )
    stop_token_ids: TokenIds | None = Field(None, description="Token ids that end the reply.")
    min_tokens: Bound = Field(None, description="Minimum number of tokens before the model can end the reply.")
    ignore_eos: bool | None = Field(None, description="Continues past the model's end-of-sequence token.")
    ban_eos_token: bool | None = Field(None, description="The same as ignore_eos.")
    auto_max_new_tokens: bool | None = Field(None, description="Fills the context, whatever max_tokens says.")
    stream: bool | None = Field(None, description="Sends the reply as server-sent events while it is generated.")
    stream_options: StreamOptions | None = Field(None, description="Only with stream.")
    preset: str | None = Field(None, description="Name of a preset; what the request says itself wins over it.")
    include_stop_str_in_output: bool | None = Field(
        None, description="Stop sequences are never part of the reply: true is a 400."
    )
    user: Anything = Field(None, description="Accepted, without effect.")

    @property
    def wants_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)


_NEUTRAL: Final = Sampling()
# Fields whose values differ from Sampling's: -1 and 0 both turn top_k off, lists come as text.
_TRANSLATED: Final = frozenset({"top_k", "seed", "sampler_priority", "custom_token_bans"})
_TAKEN_OVER: Final = tuple(
    name for name in SamplingFields.model_fields if name in Sampling.__dataclass_fields__ and name not in _TRANSLATED
)
# Fields of other servers with the values that ask for nothing; any other value is named in a header.
_SET_BY_NAME: Final = (*_TAKEN_OVER, "top_k", "min_tokens", "ignore_eos", "n", "enable_thinking", "preserve_thinking")
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


def explicit_of(fields: GenerationFields) -> tuple[str, ...]:
    """The names of what the request sets of a Sampling, of Limits and of template arguments, to whatever value."""
    names = [name for name in _SET_BY_NAME if getattr(fields, name, None) is not None]
    return (*names, "seed") if fields.seed not in (None, -1) else tuple(names)


def adapters_of(fields: GenerationFields) -> tuple[AdapterChoice, ...] | None:
    if fields.lora is None:
        return None
    return tuple(AdapterChoice(each.name, 1.0 if each.scale is None else each.scale) for each in fields.lora)


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


async def default_sampling(runtime: AnsweringRuntime, preset: str | None) -> Sampling:
    """What holds where a request is silent: the server's settings or, if it names a preset, that whole preset, in
    which what the file leaves out is neutral. Raises BadRequest."""
    if not preset:
        return runtime.settings.sampling
    values: dict[str, Any] = dict(await asyncio.to_thread(runtime.library.presets.read, preset))
    return replace(Sampling(), **values)


_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9_.:$\[\]-]+")
# Servers in front of this one refuse answers whose headers exceed 8 KiB: 40 places of 200 characters.
_LONGEST: Final = 200
_MOST: Final = 40


def quoted_titles(titles: Iterable[str]) -> tuple[str, ...]:
    """The first of them, in the signs of addresses: titles are anybody's words, and headers hold plain letters only."""
    return tuple(quote(title, safe=" ")[:_LONGEST] for title in islice(titles, _MOST))


def plain_places(places: Iterable[str]) -> tuple[str, ...]:
    """The first of them. Types and names in a place are the caller's: only what is plain stands in a header."""
    return tuple(_NOT_PLAIN.sub("?", place[:_LONGEST]) for place in islice(places, _MOST))
