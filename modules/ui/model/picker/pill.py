"""The header's model pill: which model answers, in which state; a press opens the picker."""

import json
from collections.abc import Awaitable, Mapping
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.errors import ServiceError
from modules.ui.model.picker.picker import ModelPicker
from modules.ui.page.page import Page

_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}
# The page's script draws the value, asks for the state and says when another model answers.
_TEMPLATE: Final = "${window.modelPicker.pill(value)}"
_BRIDGE: Final = """
window.modelPicker.connect({
  element, server,
  show: (value) => { props.value = value; },
  changed: () => trigger('submit'),
  choose: (name) => trigger('select', { name }),
});
"""


class ModelPill:
    """Built where it is to stand, connected when all of the page is built."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._picker = ModelPicker(page)
        self._pill: gr.HTML | None = None

    def build(self) -> None:
        pill = self._pill = gr.HTML(
            json.dumps(self._picker.state()),
            html_template=_TEMPLATE,
            js_on_load=_BRIDGE,
            server_functions=_server_functions(self._picker),
            elem_id="model-pill",
            padding=False,
            apply_default_css=False,
        )

        async def filled() -> Mapping[Component, Any]:
            return {pill: json.dumps(self._picker.state())}

        self._page.fill_in(filled, [pill])

    def connect(self) -> None:
        """When all parts of the page have said what they show when another model answers."""
        assert self._pill is not None
        for fill, inputs, outputs in self._page.model_changes:
            self._pill.submit(fill, inputs, outputs, **_QUIET)
        for choose, inputs, outputs in self._page.model_choices:
            self._pill.select(choose, inputs, outputs, **_QUIET)


def _server_functions(picker: ModelPicker) -> list[Any]:
    """Each takes one value and returns one. Gradio finds them by their names."""

    async def model_state(asked: Any) -> Any:  # noqa: ANN401 - whatever a browser sends
        return picker.state(str(asked or "")[:500])

    async def model_list(_asked: Any) -> Any:  # noqa: ANN401 - whatever a browser sends
        return await _told(picker.listed())

    async def model_preview(asked: Any) -> Any:  # noqa: ANN401 - whatever a browser sends
        return await _told(picker.preview(_mapping(asked)))

    async def model_load(asked: Any) -> Any:  # noqa: ANN401 - whatever a browser sends
        return await _told(picker.load(_mapping(asked)))

    async def model_unload(asked: Any) -> Any:  # noqa: ANN401 - whatever a browser sends
        return await _told(picker.unload(_mapping(asked)))

    async def model_give_up(_asked: Any) -> Any:  # noqa: ANN401 - whatever a browser sends
        return await _told(picker.give_up())

    return [model_state, model_list, model_preview, model_load, model_unload, model_give_up]


def _mapping(asked: object) -> Mapping[str, Any]:
    return asked if isinstance(asked, dict) else {}


async def _told(work: Awaitable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What went wrong by the program's own account is for the user."""
    try:
        return await work
    except ServiceError as error:
        return {"error": error.message}
