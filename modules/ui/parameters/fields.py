"""Which parameters the page shows, in what order, and how far their sliders go."""

import json
from dataclasses import dataclass, fields
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.sampling import Sampling
from modules.settings.option_values import OptionKind
from modules.settings.values import OPTIONS, Settings
from modules.ui.page.page import Page

_BREAKERS: Final = "dry_sequence_breakers"
_SEED: Final = "seed"
_SAMPLING: Final = frozenset(field.name for field in fields(Sampling))
# Where the whole is more than one field and the setting's name would not do as a title.
_TITLES: Final = {
    "dynatemp_low": "Dynamic temperature low",
    "dynatemp_high": "Dynamic temperature high",
    "dynatemp_exponent": "Dynamic temperature exponent",
    "top_p": "Top P",
    "top_k": "Top K",
    "min_p": "Min P",
    "top_n_sigma": "Top N sigma",
    "typical_p": "Typical P",
    "xtc_threshold": "XTC threshold",
    "xtc_probability": "XTC probability",
    "tfs": "Tail-free sampling",
    "top_a": "Top A",
    "dry_multiplier": "DRY multiplier",
    "dry_allowed_length": "DRY allowed length",
    "dry_base": "DRY base",
    "dry_sequence_breakers": "DRY sequence breakers",
    "no_repeat_ngram_size": "No-repeat n-gram size",
    "do_sample": "Sampling (do_sample)",
    "max_new_tokens": "Max new tokens",
    "auto_max_new_tokens": "Auto max new tokens",
    "max_tokens_second": "Max tokens per second",
    "ban_eos_token": "Ban the EOS token",
    "add_bos_token": "Add the BOS token",
    "skip_special_tokens": "Skip special tokens",
    "stream": "Stream replies",
    "custom_stopping_strings": "Stop sequences",
    "custom_token_bans": "Banned token IDs",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A setting on the page. `low`, `high` and `step` are of its slider; a value beyond them stretches it."""

    name: str
    low: float = 0
    high: float = 1
    step: float = 0.01

    @property
    def title(self) -> str:
        return _TITLES.get(self.name) or self.name.replace("_", " ").capitalize()

    @property
    def is_sampling(self) -> bool:
        """Whether it is part of how tokens are drawn, and so may be something that a backend does not have."""
        return self.name in _SAMPLING

    @property
    def is_slider(self) -> bool:
        return OPTIONS[self.name].kind in {OptionKind.INTEGER, OptionKind.NUMBER}


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that stand together; one without a `title` is always open."""

    title: str
    fields: tuple[Field, ...]


MAIN: Final = Group(
    "",
    (
        Field("temperature", 0, 5),
        Field("top_p"),
        Field("top_k", 0, 200, 1),
        Field("min_p"),
        Field("repetition_penalty", 1, 1.5),
        Field("presence_penalty", 0, 2),
        Field("frequency_penalty", 0, 2),
    ),
)
MORE: Final = (
    Group(
        "Repetition control",
        (
            Field("repetition_penalty_range", 0, 4096, 1),
            Field("dry_multiplier", 0, 5),
            Field("dry_allowed_length", 1, 20, 1),
            Field("dry_base", 1, 4),
            Field(_BREAKERS),
            Field("no_repeat_ngram_size", 0, 20, 1),
            Field("encoder_repetition_penalty", 0.8, 1.5),
        ),
    ),
    Group(
        "Dynamic temperature and smoothing",
        (
            Field("dynamic_temperature"),
            Field("dynatemp_low", 0.01, 5),
            Field("dynatemp_high", 0.01, 5),
            Field("dynatemp_exponent", 0.01, 5),
            Field("smoothing_factor", 0, 10),
            Field("smoothing_curve", 1, 10),
        ),
    ),
    Group(
        "More truncation samplers",
        (
            Field("xtc_threshold", 0, 0.5),
            Field("xtc_probability"),
            Field("top_n_sigma", 0, 5),
            Field("typical_p"),
            Field("tfs"),
            Field("top_a"),
            Field("epsilon_cutoff", 0, 9),
            Field("eta_cutoff", 0, 20),
        ),
    ),
    Group(
        "Mirostat and adaptive sampling",
        (
            Field("do_sample"),
            Field("mirostat_mode", 0, 2, 1),
            Field("mirostat_tau", 0, 10),
            Field("mirostat_eta", 0, 1),
            Field("adaptive_target"),
            Field("adaptive_decay", 0, 0.99),
        ),
    ),
)
LENGTH: Final = Group(
    "Length and stopping",
    (
        Field("max_new_tokens", 1, 4096, 1),
        Field("auto_max_new_tokens"),
        Field("ban_eos_token"),
        Field("custom_stopping_strings"),
        Field("custom_token_bans"),
    ),
)
REPLY: Final = Group(
    "Seed, streaming and special tokens",
    (
        Field(_SEED),
        Field("max_tokens_second", 0, 20, 1),
        Field("stream"),
        Field("add_bos_token"),
        Field("skip_special_tokens"),
    ),
)
FIELDS: Final = {field.name: field for group in (MAIN, *MORE, LENGTH, REPLY) for field in group.fields}


def shown_value(name: str, settings: Settings) -> Any:  # noqa: ANN401 - what Gradio's components take
    """The setting's value as its component shows it."""
    value = getattr(settings, name)
    match value:
        case tuple() if name == _BREAKERS:
            return ", ".join(json.dumps(each, ensure_ascii=False) for each in value)
        case tuple():
            return list(value)
        case _:
            return value


def stretched(field: Field, value: float) -> tuple[float, float]:
    """The ends of the slider: Gradio refuses every event while a slider's value lies outside them."""
    return min(field.low, value), max(field.high, value)


def build_field(page: Page, field: Field) -> Component:
    value, option = shown_value(field.name, page.settings), OPTIONS[field.name]
    traits: dict[str, Any] = {
        "label": field.title,
        "info": option.description,
        "elem_id": f"parameter-{field.name.replace('_', '-')}",
    }
    component: Component
    if option.kind is OptionKind.SWITCH:
        component = gr.Checkbox(value, **traits)
    elif field.name == _SEED:
        component = gr.Number(value, precision=0, **traits)
    elif field.is_slider:
        low, high = stretched(field, value)
        component = gr.Slider(low, high, value, step=field.step, buttons=[], **traits)
    else:
        component = gr.Textbox(value, lines=1, max_lines=4, **traits)
    return page.inputs.add(field.name, component)


def refilled(field: Field, settings: Settings) -> dict[str, Any]:
    """What brings the field's component to the value in `settings`."""
    value = shown_value(field.name, settings)
    stretch: dict[str, float] = {}
    if field.is_slider and field.name != _SEED:
        stretch["minimum"], stretch["maximum"] = stretched(field, value)
    update: dict[str, Any] = gr.update(value=value, **stretch)
    return update
