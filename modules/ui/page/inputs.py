"""The components of settings, wherever on the page they are, and what is entered in them."""

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from modules.errors import SettingsError
from modules.settings.values import OPTIONS, Settings


class Inputs:
    """Filled while the page is built; each component is named after the setting whose value it shows."""

    def __init__(self) -> None:
        self._components: dict[str, Component] = {}

    def add(self, name: str, component: Component) -> Component:
        """Raises SettingsError for a name that is no setting, and for one that another component has."""
        if name not in OPTIONS or name in self._components:
            raise SettingsError(f"{name} is no setting that the page can show once more.", param=name)
        self._components[name] = component
        return component

    def __getitem__(self, name: str) -> Component:
        return self._components[name]

    def __contains__(self, name: object) -> bool:
        return name in self._components

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._components)

    @property
    def components(self) -> set[Component]:
        """What an event that needs to know all settings takes as its inputs, besides components of its own."""
        return set(self._components.values())

    def values(self, entered: Mapping[Component, Any]) -> dict[str, object]:
        """What has been entered, by setting name; what an event does not bring along is left out."""
        return {name: entered[each] for name, each in self._components.items() if each in entered}

    def shown(self, settings: Settings) -> dict[Component, object]:
        """What each component is to show of `settings`."""
        return {each: _shown(getattr(settings, name), each) for name, each in self._components.items()}


def _shown(value: object, component: Component) -> object:
    """Lists as lists where the component has such, elsewhere as the text that settings are read from."""
    if not isinstance(value, tuple):
        return value
    is_text = isinstance(component, gr.Textbox)
    return ", ".join(json.dumps(item) for item in value) if is_text else list(value)
