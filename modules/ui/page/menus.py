"""Menus whose choices change while the page is open: files, tools.

Gradio refuses what a browser sends unless it is among the choices that it has last sent to this tab, with a notice that
holds the value. They change on disk, in other tabs and with each answer, and a value is sent along with many events that
do not use it. These menus take any name, so whoever uses it looks it up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr

from modules.errors import BadRequest

_MARK: Final = "takes_any_name"


def name_menu(choices: Sequence[str | tuple[str, str]] = (), **options: object) -> gr.Dropdown:
    """One name, or with `multiselect` several, of a list that folds out."""
    return _marked(gr.Dropdown(list(choices), **options))


def name_ticks(**options: object) -> gr.CheckboxGroup:
    """Any names of a list that can be seen."""
    return _marked(gr.CheckboxGroup([], **options))


@dataclass(frozen=True, slots=True)
class SentNames:
    """What a browser sends for such menus, by the place among the inputs of an event."""

    names: dict[int, str | list[str] | None]

    @classmethod
    def among(cls, components: Sequence[object], values: Sequence[object]) -> "SentNames":
        """Raises BadRequest for what are no names."""
        pairs = enumerate(zip(components, values, strict=False))
        return cls({place: _entered(menu, value) for place, (menu, value) in pairs if hasattr(menu, _MARK)})

    def left_out_of(self, values: Sequence[Any]) -> list[Any]:
        """The values, in which no menu has any name."""
        return [self._nothing(place) if place in self.names else value for place, value in enumerate(values)]

    def put_into(self, values: Sequence[Any]) -> list[Any]:
        return [self.names.get(place, value) for place, value in enumerate(values)]

    def _nothing(self, place: int) -> list[str] | None:
        return [] if isinstance(self.names[place], list) else None


def _entered(menu: object, value: object) -> str | list[str] | None:
    has_many = isinstance(menu, gr.CheckboxGroup) or getattr(menu, "multiselect", False)
    if has_many:
        return [_name(each) for each in (value if isinstance(value, list) else [] if value is None else [value])]
    return None if value is None else _name(value)


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise BadRequest("That is no name.")
    return value


def _marked(component: Any) -> Any:  # noqa: ANN401 - Gradio has no types
    setattr(component, _MARK, True)
    return component
