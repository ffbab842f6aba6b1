"""Where messages are written: a menu of models, for as long as there is none that could answer."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.engine.types import ModelKind
from modules.models.state import ModelState, Status
from modules.ui.model.texts import plain, state_text
from modules.ui.page.page import Page

Shown = dict[Component, Any]

_PATIENCE_SECONDS: Final = 20.0
# The page's script opens the picker.
_CHOOSER: Final = '<button type="button" data-opens="models" aria-haspopup="dialog">Choose a model</button>'
_CHOOSE: Final = "No model is loaded."
_WAITS: Final = "Your message is sent when a model is loaded."
_NONE: Final = "There is no model on this machine yet."
# What the page's script and the server say to each other.
_BRIDGE: Final = """
window.modelGate.connect(() => trigger('submit'), () => props.value);
watch('value', () => window.modelGate.apply(props.value));
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateParts:
    """`gate` tells the page's script whether there is a model, and that a message waits for one."""

    gate: gr.HTML
    note: gr.Markdown

    @property
    def outputs(self) -> list[Component]:
        return [self.gate, self.note]


def gate_parts() -> GateParts:
    gate = gr.HTML("{}", html_template="", js_on_load=_BRIDGE, elem_id="model-gate", visible=True)
    with gr.Row(elem_id="choose-model", equal_height=True):
        note = gr.Markdown("", elem_id="choose-model-note")
        gr.HTML(_CHOOSER, elem_id="choose-model-open", padding=False, apply_default_css=False, min_width=160)
        # The page's script leads to the section.
        gr.Button("Load settings and downloads", size="sm", elem_id="to-models", min_width=120)
    return GateParts(gate=gate, note=note)


class ModelGate:
    """Handlers of events."""

    def __init__(self, page: Page, parts: GateParts) -> None:
        self._page = page
        self._parts = parts
        self._models = page.runtime.models

    @property
    def is_open(self) -> bool:
        """Whether there is a model that answers."""
        return self._models.has_model or bool(self._page.runtime.remote)

    async def filled(self) -> Shown:
        is_known = self._page.settings.multi_user or await asyncio.to_thread(self._has_models)
        return {self._parts.gate: self._told(), self._parts.note: _CHOOSE if is_known else _NONE}

    def _has_models(self) -> bool:
        return any(self._models.kind_of(name) is ModelKind.CHAT for name in self._models.list_models())

    async def looked(self) -> Shown:
        """For who comes to the chat: nothing, where there is a model."""
        return {self._parts.gate: self._told()} if self.is_open else await self.filled()

    async def waited(self) -> AsyncGenerator[Shown, None]:
        """What becomes of the models, until there is one. After a while the page's script asks again."""
        end = time.monotonic() + _PATIENCE_SECONDS
        async with aclosing(self._models.changes()) as states:
            while True:
                try:
                    state = await asyncio.wait_for(anext(states), max(0, end - time.monotonic()))
                except TimeoutError:
                    yield {self._parts.gate: self._told(is_over=True)}
                    return
                is_open = self.is_open and state.status is not Status.LOADING
                shown: Shown = {} if state.status is Status.EMPTY else {self._parts.note: _words(state)}
                yield shown | ({self._parts.gate: self._told()} if is_open else {})
                if is_open:
                    return

    def refused(self, *, waits: bool) -> Shown:
        """For who asks for a reply: what is written stays in the box, and with `waits` it is sent later."""
        return {self._parts.gate: self._told(waits=waits), self._parts.note: _WAITS if waits else _CHOOSE}

    def _told(self, *, waits: bool = False, is_over: bool = False) -> str:
        # A browser hears of changes only.
        at = time.monotonic_ns() if waits or is_over else 0
        return json.dumps({"has": self.is_open, "waits": waits, "over": is_over, "at": at})


def _words(state: ModelState) -> str:
    return plain(state.message or _CHOOSE) if state.status is Status.FAILED else state_text(state)
