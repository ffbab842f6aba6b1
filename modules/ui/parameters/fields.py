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
    "max_new_tokens": "Max tokens",
    "auto_max_new_tokens": "No limit (use what is left of the context)",
    "max_tokens_second": "Max tokens/s (pace)",
    "ban_eos_token": "Ignore EOS",
    "add_bos_token": "Add BOS token",
    "skip_special_tokens": "Skip special tokens",
    "stream": "Stream",
    "custom_stopping_strings": "Stop sequences",
    "custom_token_bans": "Banned token IDs",
}


@dataclass(frozen=True, slots=True)
class ParameterField:
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
class ParameterGroup:
    """Fields that stand together; one without a `title` is always open."""

    title: str
    fields: tuple[ParameterField, ...]


MAIN: Final = ParameterGroup(
    "",
    (
        ParameterField("temperature", 0, 5),
        ParameterField("top_p"),
        ParameterField("top_k", 0, 200, 1),
        ParameterField("min_p"),
        ParameterField("repetition_penalty", 1, 1.5),
        ParameterField("presence_penalty", 0, 2),
        ParameterField("frequency_penalty", 0, 2),
    ),
)
MORE: Final = (
    ParameterGroup(
        "Repetition: penalties, DRY",
        (
            ParameterField("repetition_penalty_range", 0, 4096, 1),
            ParameterField("dry_multiplier", 0, 5),
            ParameterField("dry_allowed_length", 1, 20, 1),
            ParameterField("dry_base", 1, 4),
            ParameterField(_BREAKERS),
            ParameterField("no_repeat_ngram_size", 0, 20, 1),
            ParameterField("encoder_repetition_penalty", 0.8, 1.5),
        ),
    ),
    ParameterGroup(
        "Dynamic temperature, smoothing",
        (
            ParameterField("dynamic_temperature"),
            ParameterField("dynatemp_low", 0.01, 5),
            ParameterField("dynatemp_high", 0.01, 5),
            ParameterField("dynatemp_exponent", 0.01, 5),
            ParameterField("smoothing_factor", 0, 10),
            ParameterField("smoothing_curve", 1, 10),
        ),
    ),
    ParameterGroup(
        "More truncation: XTC, top-nσ, typical…",
        (
            ParameterField("xtc_threshold", 0, 0.5),
            ParameterField("xtc_probability"),
            ParameterField("top_n_sigma", 0, 5),
            ParameterField("typical_p"),
            ParameterField("tfs"),
            ParameterField("top_a"),
            ParameterField("epsilon_cutoff", 0, 9),
            ParameterField("eta_cutoff", 0, 20),
        ),
    ),
    ParameterGroup(
        "Mirostat, adaptive",
        (
            ParameterField("do_sample"),
            ParameterField("mirostat_mode", 0, 2, 1),
            ParameterField("mirostat_tau", 0, 10),
            ParameterField("mirostat_eta", 0, 1),
            ParameterField("adaptive_target"),
            ParameterField("adaptive_decay", 0, 0.99),
        ),
    ),
)
LENGTH: Final = ParameterGroup(
    "Length and stopping",
    (
        ParameterField("max_new_tokens", 1, 4096, 1),
        ParameterField("auto_max_new_tokens"),
        ParameterField("ban_eos_token"),
        ParameterField("custom_stopping_strings"),
        ParameterField("custom_token_bans"),
    ),
)
REPLY: Final = ParameterGroup(
    "Seed, streaming and special tokens",
    (
        ParameterField(_SEED),
        ParameterField("max_tokens_second", 0, 20, 1),
        ParameterField("stream"),
        ParameterField("add_bos_token"),
        ParameterField("skip_special_tokens"),
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


def stretched(field: ParameterField, value: float) -> tuple[float, float]:
    """The ends of the slider: Gradio refuses every event while a slider's value lies outside them."""
    return min(field.low, value), max(field.high, value)


def build_field(page: Page, field: ParameterField) -> Component:
    name = field.name.replace("_", "-")
    return page.inputs.add(field.name, field_component(field, page.settings, f"parameter-{name}"))


def field_component(field: ParameterField, settings: Settings, elem_id: str) -> Component:
    """One that shows the setting's value, and does not stand for it yet."""
    value, option = shown_value(field.name, settings), OPTIONS[field.name]
    traits: dict[str, Any] = {"label": field.title, "info": option.description, "elem_id": elem_id}
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
    return component


def temperature_at_hand(settings: Settings) -> Component:
    """A second field for what is changed most, beside the chat."""
    return field_component(FIELDS["temperature"], settings, "chat-temperature")


def refilled(field: ParameterField, settings: Settings) -> dict[str, Any]:
    """What brings the field's component to the value in `settings`."""
    value = shown_value(field.name, settings)
    stretch: dict[str, float] = {}
    if field.is_slider and field.name != _SEED:
        stretch["minimum"], stretch["maximum"] = stretched(field, value)
    update: dict[str, Any] = gr.update(value=value, **stretch)
    return update
