"""Every sampling parameter with its neutral default: the value at which it does nothing."""

from dataclasses import dataclass, field

SAMPLER_ORDER = (
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "dry",
    "top_n_sigma",
    "temperature",
    "dynamic_temperature",
    "quadratic_sampling",
    "top_k",
    "top_p",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
    "tfs",
    "top_a",
    "min_p",
    "adaptive_p",
    "mirostat",
    "xtc",
    "encoder_repetition_penalty",
    "no_repeat_ngram",
)

# Some programs switch these off with -1, or keep their strength with a minus sign while they are off.
OFF_BELOW_ZERO = (
    "min_p",
    "top_n_sigma",
    "xtc_probability",
    "epsilon_cutoff",
    "eta_cutoff",
    "top_a",
    "adaptive_target",
    "smoothing_factor",
    "dry_multiplier",
    "repetition_penalty_range",
    "no_repeat_ngram_size",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is drawn from the logits.

    `temperature` 0 and `do_sample=False` both mean greedy. `seed` None draws a fresh one per request.
    `repetition_penalty_range` 0 means every token so far. `epsilon_cutoff` and `eta_cutoff` are in units of 1e-4.
    `logit_bias` is added to the raw logits; `banned_tokens` can never be drawn.
    `sampler_priority` names the samplers in order of application; names left out do not run, but for mirostat and
    adaptive_p, which choose the token and come last anyway. The first penalty named stands for all three.
    """

    temperature: float = 1.0
    dynamic_temperature: bool = False
    dynatemp_low: float = 1.0
    dynatemp_high: float = 1.0
    dynatemp_exponent: float = 1.0
    smoothing_factor: float = 0.0
    smoothing_curve: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    top_n_sigma: float = 0.0
    typical_p: float = 1.0
    xtc_threshold: float = 0.1
    xtc_probability: float = 0.0
    epsilon_cutoff: float = 0.0
    eta_cutoff: float = 0.0
    tfs: float = 1.0
    top_a: float = 0.0
    adaptive_target: float = 0.0
    adaptive_decay: float = 0.9
    dry_multiplier: float = 0.0
    dry_allowed_length: int = 2
    dry_base: float = 1.75
    dry_sequence_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty_range: int = 1024
    encoder_repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    mirostat_mode: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    do_sample: bool = True
    temperature_last: bool = False
    sampler_priority: tuple[str, ...] = SAMPLER_ORDER
    seed: int | None = None
    logit_bias: dict[int, float] = field(default_factory=dict)
    banned_tokens: tuple[int, ...] = ()

    @property
    def is_greedy(self) -> bool:
        return not self.do_sample or self.temperature == 0 or self.top_k == 1


def zero_if_negative(value: object) -> object:
    """The value of a parameter of `OFF_BELOW_ZERO` as it is meant."""
    return 0 if isinstance(value, int | float) and not isinstance(value, bool) and value < 0 else value
