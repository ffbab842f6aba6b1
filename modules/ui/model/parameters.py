"""The components for how a model is loaded: which each loader knows, and what they show and say."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.backends.llamacpp.options import CACHE_TYPES
from modules.backends.registry import LLAMA_CPP, LOADERS, SCRIPTED
from modules.settings.option_values import OptionKind
from modules.settings.options import Option
from modules.settings.values import OPTIONS, Settings
from modules.ui.page.menus import name_menu

AUTOMATIC: Final = "Automatic"
NO_DRAFT: Final = "None"

_FIRST: Final = ("ctx_size", "gpu_layers", "cache_type", "parallel")
_LLAMA_CPP: Final = (
    *_FIRST,
    *("kv_cells", "threads", "threads_batch", "batch_size", "ubatch_size", "flash_attn", "split_mode", "tensor_split"),
    *("swa_full", "no_kv_offload", "no_mmap", "mlock", "numa"),
    *("speculation", "model_draft", "draft_max", "ctx_size_draft", "gpu_layers_draft"),
)
# What a loader that is not listed here knows: what every loader does.
_COMMON: Final = ("ctx_size", "cache_type", "parallel", "kv_cells")
_BY_LOADER: Final = MappingProxyType({LLAMA_CPP: _LLAMA_CPP, SCRIPTED: ("ctx_size", "parallel", "kv_cells")})
_LABELS: Final = MappingProxyType(
    {
        "ctx_size": "Context length",
        "gpu_layers": "GPU layers",
        "cache_type": "KV cache type",
        "parallel": "Parallel requests",
        "kv_cells": "KV cache size (tokens)",
        "threads_batch": "Batch threads",
        "ubatch_size": "Physical batch size",
        "flash_attn": "Flash attention",
        "swa_full": "Full-size SWA cache",
        "no_kv_offload": "No KV offload",
        "no_mmap": "No mmap",
        "mlock": "mlock",
        "numa": "NUMA",
        "model_draft": "Draft model",
        "draft_max": "Draft tokens",
        "ctx_size_draft": "Draft context length",
        "gpu_layers_draft": "Draft GPU layers",
    }
)


class LoadParameters:
    """Made inside the tab. They stand for one load, not for the page's settings: showing another model's changes nothing
    until that is loaded."""

    def __init__(self, settings: Settings) -> None:
        self.loader = name_menu(
            [AUTOMATIC, *LOADERS], value=settings.loader or AUTOMATIC, label="Loader", elem_id="model-loader"
        )
        with gr.Row():
            self._components = {name: _component(name, settings) for name in _FIRST}
        with gr.Accordion("Advanced load settings", open=False):
            self._components |= {name: _component(name, settings) for name in _LLAMA_CPP if name not in _FIRST}

    def draft_choices(self, models: Sequence[str]) -> dict[Component, Any]:
        """The menu of draft models anew, without a choice of its own."""
        return {self._components["model_draft"]: gr.update(choices=[NO_DRAFT, *models])}

    @property
    def components(self) -> list[Component]:
        return [self.loader, *self._components.values()]

    def shown(self, settings: Settings, loader: str) -> dict[Component, Any]:
        """The values that `settings` have, of those parameters that `loader` knows."""
        known = known_parameters(loader)
        values = {self.loader: gr.update(value=settings.loader or AUTOMATIC)}
        return values | {
            component: gr.update(value=_entry(OPTIONS[name], getattr(settings, name)), visible=name in known)
            for name, component in self._components.items()
        }

    def visible(self, loader: str) -> dict[Component, Any]:
        """The parameters of another loader, with what stands in them."""
        known = known_parameters(loader)
        return {component: gr.update(visible=name in known) for name, component in self._components.items()}

    def chosen_loader(self, entered: Mapping[Component, Any]) -> str | None:
        """None where it is left to the program."""
        chosen = entered[self.loader]
        return None if chosen in {None, "", AUTOMATIC} else str(chosen)

    def values(self, entered: Mapping[Component, Any], loader: str) -> dict[str, object]:
        """What was entered of the parameters that `loader` knows, by setting name, as arguments of a load; fields left
        empty are left out."""
        values: dict[str, object] = {name: entered[self._components[name]] for name in known_parameters(loader)}
        values["loader"] = self.chosen_loader(entered)
        return {name: value for name, value in values.items() if value is not None and value != ""}


def known_parameters(loader: str) -> tuple[str, ...]:
    return _BY_LOADER.get(loader, _COMMON)


def _component(name: str, settings: Settings) -> Component:
    option, value = OPTIONS[name], _entry(OPTIONS[name], getattr(settings, name))
    texts = {
        "label": _LABELS.get(name, name.replace("_", " ").capitalize()),
        "info": option.description,
        "elem_id": f"model-{name.replace('_', '-')}",
    }
    if name == "cache_type":
        return gr.Dropdown(list(CACHE_TYPES), value=value, **texts)
    if name == "model_draft":
        return name_menu([NO_DRAFT], value=value, allow_custom_value=True, **texts)
    match option.kind:
        case OptionKind.SWITCH:
            return gr.Checkbox(value, **texts)
        case OptionKind.INTEGER:
            return gr.Number(value, precision=0, **texts)
        case OptionKind.CHOICE:
            return gr.Dropdown(list(option.choices), value=value, **texts)
        case _:
            return gr.Textbox(value, **texts)


def _entry(option: Option, value: Any) -> Any:  # noqa: ANN401 - whatever kind of value a setting has
    if option.name == "model_draft":
        return value or NO_DRAFT
    return ", ".join(f"{each:g}" for each in value) if option.kind is OptionKind.NUMBERS else value
