"""Says that what is shown was with another model than the one that is loaded, and offers to load that one."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.models.options import LoadOptions
from modules.ui.model.texts import plain
from modules.ui.page.page import Page, notify_errors

Shown = dict[Component, Any]

_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeParts:
    """`model` is the one that is offered."""

    model: gr.State
    note: gr.Markdown
    load: gr.Button
    dismiss: gr.Button

    @property
    def outputs(self) -> list[Component]:
        return [self.model, self.note, self.load, self.dismiss]


def notice_parts(name: str) -> NoticeParts:
    """To be called where it is to stand."""
    model = gr.State("")
    with gr.Row(elem_id=name, elem_classes="model-notice", equal_height=True):
        note = gr.Markdown("", elem_id=f"{name}-note", visible=False)
        load = gr.Button("Load it", size="sm", scale=0, min_width=90, elem_id=f"{name}-load", visible=False)
        dismiss = gr.Button("Dismiss", size="sm", scale=0, min_width=80, elem_id=f"{name}-dismiss", visible=False)
    return NoticeParts(model=model, note=note, load=load, dismiss=dismiss)


class ModelNotice:
    """Nothing is loaded before its button is pressed. Visitors are told nothing, for they may load nothing."""

    def __init__(self, page: Page, parts: NoticeParts, what: str) -> None:
        self._page = page
        self._parts = parts
        self._what = what
        # Of which models, and with which one loaded instead, nobody wants to hear any more.
        self._dismissed: set[tuple[str, str]] = set()

    def connect(self) -> None:
        parts = self._parts
        parts.load.click(self.load, [parts.model], parts.outputs, **_QUIET)
        parts.dismiss.click(self.dismiss, [parts.model], parts.outputs, **_QUIET)

    async def shown(self, model: str) -> Shown:
        """For what was with `model` last, empty for what was with none."""
        loaded = self._page.runtime.models.known_card(None)
        if not model or loaded is None or loaded.name == model or self._page.settings.multi_user:
            return self._hidden()
        if self._page.answering_model(model) == model or (model, loaded.name) in self._dismissed:
            return self._hidden()
        names = await asyncio.to_thread(self._page.runtime.models.list_models)
        note = f"{self._what} was with **{plain(model)}**; **{plain(loaded.name)}** is loaded."
        if model not in names:
            note = f"{self._what} was with **{plain(model)}**, which is not on this machine any more."
        return {
            self._parts.model: model,
            self._parts.note: gr.Markdown(note, visible=True),
            self._parts.load: gr.Button(visible=model in names),
            self._parts.dismiss: gr.Button(visible=True),
        }

    def _hidden(self) -> Shown:
        return {
            self._parts.model: "",
            self._parts.note: gr.Markdown("", visible=False),
            self._parts.load: gr.Button(visible=False),
            self._parts.dismiss: gr.Button(visible=False),
        }

    async def load(self, model: str) -> Shown:
        """As it was loaded last, or as its settings say."""
        if model and not self._page.settings.multi_user:
            await notify_errors(self._page.runtime.models.load(model, LoadOptions()))
        return self._hidden()

    async def dismiss(self, model: str) -> Shown:
        """Until another model is loaded."""
        loaded = self._page.runtime.models.known_card(None)
        if model and loaded is not None:
            self._dismissed.add((model, loaded.name))
        return self._hidden()
