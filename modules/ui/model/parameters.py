"""The components for how a model is loaded: which each loader knows, and what they show and say."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.models.options import load_options, options_of_loader
from modules.settings.option_values import OptionKind
from modules.settings.options import Option
from modules.settings.values import Settings
from modules.ui.model.kept import kept_button
from modules.ui.page.menus import name_menu
from modules.ui.page.option_fields import NO_DRAFT, entry_of

AUTOMATIC: Final = "Automatic"


class LoadParameters:
    """Made inside the tab. They stand for one load, not for the page's settings: showing another model's changes nothing
    until that is loaded."""

    def __init__(self, settings: Settings) -> None:
        self._kind = type(settings)
        loaders = [AUTOMATIC, *settings.backends.names]
        self.loader = name_menu(loaders, value=settings.loader or AUTOMATIC, label="Loader", elem_id="model-loader")
        options = [option for name, option in load_options(self._kind).items() if name != "loader"]
        with gr.Row():
            self._components = {option.name: _component(option, settings) for option in options if option.is_main}
        self.delete_kept = kept_button()
        with gr.Accordion("Advanced load settings", open=False):
            self._components |= {option.name: _component(option, settings) for option in options if not option.is_main}

    def draft_choices(self, models: Sequence[str]) -> dict[Component, Any]:
        """The menu of draft models anew, without a choice of its own."""
        return {self._components["model_draft"]: gr.update(choices=[NO_DRAFT, *models])}

    @property
    def components(self) -> list[Component]:
        return [self.loader, *self._components.values()]

    def shown(self, settings: Settings, loader: str) -> dict[Component, Any]:
        """The values that `settings` have, of those parameters that `loader` knows."""
        known = options_of_loader(self._kind, loader)
        values = {self.loader: gr.update(value=settings.loader or AUTOMATIC)}
        return values | {
            component: gr.update(
                value=entry_of(settings.declared[name], getattr(settings, name)), visible=name in known
            )
            for name, component in self._components.items()
        }

    def visible(self, loader: str) -> dict[Component, Any]:
        """The parameters of another loader, with what stands in them."""
        known = options_of_loader(self._kind, loader)
        return {component: gr.update(visible=name in known) for name, component in self._components.items()}

    def chosen_loader(self, entered: Mapping[Component, Any]) -> str | None:
        """None where it is left to the program."""
        chosen = entered[self.loader]
        return None if chosen in {None, "", AUTOMATIC} else str(chosen)

    def values(self, entered: Mapping[Component, Any], loader: str) -> dict[str, object]:
        """What was entered of the parameters that `loader` knows, by setting name, as arguments of a load; fields left
        empty are left out."""
        values: dict[str, object] = {
            name: entered[self._components[name]] for name in options_of_loader(self._kind, loader)
        }
        values["loader"] = self.chosen_loader(entered)
        return {name: value for name, value in values.items() if value is not None and value != ""}


def _component(option: Option, settings: Settings) -> Component:
    value = entry_of(option, getattr(settings, option.name))
    texts = {
        "label": option.label,
        "info": option.description,
        "elem_id": f"model-{option.name.replace('_', '-')}",
    }
    if option.name == "model_draft":
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
