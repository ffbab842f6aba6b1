"""Defaults of API requests: sampling, reasoning, chat template."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator

from modules.requests import PREFIX_REPAIRS
from modules.sampling import SAMPLER_ORDER, Sampling
from modules.settings.option_values import Breakers, Words
from modules.settings.options import SettingsGroup, setting

_NEUTRAL = Sampling()


def _check_samplers(names: tuple[str, ...]) -> tuple[str, ...]:
    if not set(names) <= set(SAMPLER_ORDER):
        raise ValueError("an unknown sampler")
    return names


SamplerNames = Annotated[Words, AfterValidator(_check_samplers)]


def _read_off(value: object) -> object:
    """YAML 1.1 reads a bare `off` as a boolean."""
    return () if value is False or value in ("off", ["off"], ("off",)) else value


def _check_repairs(names: tuple[str, ...]) -> tuple[str, ...]:
    if not set(names) <= set(PREFIX_REPAIRS):
        raise ValueError("an unknown repair")
    return names


RepairNames = Annotated[Words, BeforeValidator(_read_off), AfterValidator(_check_repairs)]


class GenerationSettings(SettingsGroup, frozen=True):
    title: ClassVar[str] = "API generation defaults"

    temperature: float = setting(_NEUTRAL.temperature, "Divides the logits; 0 is greedy decoding.", ge=0)
    dynamic_temperature: bool = setting(
        _NEUTRAL.dynamic_temperature, "Choose the temperature for each token by the entropy of its distribution."
    )
    dynatemp_low: float = setting(_NEUTRAL.dynatemp_low, "Lowest dynamic temperature.", ge=0)
    dynatemp_high: float = setting(_NEUTRAL.dynatemp_high, "Highest dynamic temperature.", ge=0)
    dynatemp_exponent: float = setting(
        _NEUTRAL.dynatemp_exponent, "Exponent that maps the entropy to a temperature between low and high.", ge=0
    )
    smoothing_factor: float = setting(_NEUTRAL.smoothing_factor, "Strength of quadratic sampling; 0 is off.", ge=0)
    smoothing_curve: float = setting(_NEUTRAL.smoothing_curve, "Drop-off curve of quadratic sampling.", ge=0)
    top_p: float = setting(
        _NEUTRAL.top_p, "Keep the likeliest tokens that together reach this probability; 1 is off.", ge=0, le=1
    )
    top_k: int = setting(_NEUTRAL.top_k, "Keep this many of the likeliest tokens; 0 is off.", ge=0)
    min_p: float = setting(
        _NEUTRAL.min_p, "Drop tokens below this share of the likeliest one's probability; 0 is off.", ge=0, le=1
    )
    top_n_sigma: float = setting(
        _NEUTRAL.top_n_sigma, "Keep logits within this many standard deviations of the highest; 0 is off.", ge=0
    )
    typical_p: float = setting(_NEUTRAL.typical_p, "Locally typical sampling; 1 is off.", ge=0, le=1)
    xtc_threshold: float = setting(_NEUTRAL.xtc_threshold, "Probability from which XTC may drop a token.", ge=0, le=1)
    xtc_probability: float = setting(
        _NEUTRAL.xtc_probability,
        "Chance of dropping all tokens above the threshold but the least likely; 0 is off.",
        ge=0,
        le=1,
    )
    epsilon_cutoff: float = setting(
        _NEUTRAL.epsilon_cutoff, "Drop tokens below this probability, in units of 0.0001; 0 is off.", ge=0
    )
    eta_cutoff: float = setting(_NEUTRAL.eta_cutoff, "Eta sampling, in units of 0.0001; 0 is off.", ge=0)
    tfs: float = setting(_NEUTRAL.tfs, "Tail-free sampling; 1 is off.", ge=0, le=1)
    top_a: float = setting(
        _NEUTRAL.top_a, "Drop tokens below this times the square of the highest probability; 0 is off.", ge=0, le=1
    )
    adaptive_target: float = setting(
        _NEUTRAL.adaptive_target, "Favour tokens near this probability; 0 is off.", ge=0, le=1
    )
    adaptive_decay: float = setting(
        _NEUTRAL.adaptive_decay, "How slowly adaptive sampling forgets its earlier choices.", ge=0, lt=1
    )
    dry_multiplier: float = setting(_NEUTRAL.dry_multiplier, "Strength of the DRY penalty on repeats; 0 is off.", ge=0)
    dry_allowed_length: int = setting(
        _NEUTRAL.dry_allowed_length, "Longest repetition that DRY does not penalize.", ge=0
    )
    dry_base: float = setting(_NEUTRAL.dry_base, "How fast the DRY penalty grows with the repeat.", ge=0)
    dry_sequence_breakers: Breakers = setting(
        _NEUTRAL.dry_sequence_breakers,
        "Strings that break the sequences that DRY compares.",
        allowed="strings as in JSON, separated by commas",
    )
    repetition_penalty: float = setting(
        _NEUTRAL.repetition_penalty, "Multiplicative penalty on tokens that have occurred; 1 is off.", gt=0
    )
    frequency_penalty: float = setting(
        _NEUTRAL.frequency_penalty, "Subtracted from a logit for each occurrence of its token.", ge=-2, le=2
    )
    presence_penalty: float = setting(
        _NEUTRAL.presence_penalty, "Subtracted from a logit if its token has occurred.", ge=-2, le=2
    )
    repetition_penalty_range: int = setting(
        _NEUTRAL.repetition_penalty_range, "Number of latest tokens that the penalties consider; 0 means all.", ge=0
    )
    encoder_repetition_penalty: float = setting(
        _NEUTRAL.encoder_repetition_penalty, "Multiplicative bonus for tokens of the prompt; 1 is off.", gt=0
    )
    no_repeat_ngram_size: int = setting(
        _NEUTRAL.no_repeat_ngram_size, "Length of token sequences that may not occur twice; 0 is off.", ge=0
    )
    penalty_alpha: float = setting(0.0, "Contrastive search, with --no-do-sample; 0 is off.", ge=0)
    guidance_scale: float = setting(1.0, "Classifier-free guidance, against the negative prompt; 1 is off.")
    mirostat_mode: int = setting(_NEUTRAL.mirostat_mode, "Version of Mirostat; 0 is off.", ge=0, le=2)
    mirostat_tau: float = setting(_NEUTRAL.mirostat_tau, "Target surprise of Mirostat.", ge=0)
    mirostat_eta: float = setting(_NEUTRAL.mirostat_eta, "Learning rate of Mirostat.", ge=0)
    do_sample: bool = setting(_NEUTRAL.do_sample, "Sample tokens at random; off is greedy decoding.")
    temperature_last: bool = setting(_NEUTRAL.temperature_last, "Apply the temperature after all other samplers.")
    sampler_priority: SamplerNames = setting(
        _NEUTRAL.sampler_priority,
        "Samplers in the order in which they are applied; those left out do not run.",
        allowed=f"a list of names among {', '.join(SAMPLER_ORDER)}",
    )
    enable_thinking: bool = setting(True, "Enable thinking in models that support it.")
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] = setting(
        "medium", "Reasoning effort of models that support it."
    )
    preserve_thinking: bool = setting(False, "Keep the reasoning of earlier turns in the prompt.")
    prefix_repair: RepairNames = setting(
        tuple(name for name in PREFIX_REPAIRS if name != "times"),
        "What clients change in a conversation without meaning it is taken back, so that its prompt is found in the cache: "
        "billing (Claude Code's billing line) and counters (of tokens that are left) are left out; tools and json keep "
        "the order, of tools and of keys, that they had first; whitespace at the ends of earlier messages stays as it was; "
        "system texts stay where they are if the chat template would move them; times of day in system texts are rounded "
        "to the hour.",
        allowed=f"off, or a list of names among {', '.join(PREFIX_REPAIRS)}",
    )
    chat_template_file: Path | None = setting(
        None,
        "Chat template in place of the model's own: a .jinja file, or .yaml with the key instruction_template.",
        is_file=True,
    )

    @property
    def sampling(self) -> Sampling:
        """The sampling of a request that says nothing about it."""
        return Sampling(**{name: getattr(self, name) for name in _SAMPLING_NAMES})


_SAMPLING_NAMES = tuple(name for name in Sampling.__dataclass_fields__ if name in GenerationSettings.model_fields)
