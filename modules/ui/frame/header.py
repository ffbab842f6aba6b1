"""The row above every section: the model, what is shown, and what opens the columns beside it."""

import html
from collections.abc import Mapping
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.ui.page.page import Page

_NO_MODEL: Final = "Choose a model"


def header(page: Page) -> None:
    with gr.Row(elem_id="header"):
        gr.HTML(
            _button("toggle-left", "Show or hide the chats", "panel-left"),
            elem_id="header-left",
            padding=False,
            apply_default_css=False,
        )
        pill = gr.HTML(_pill(page), elem_id="model-pill", padding=False, apply_default_css=False)
        gr.HTML(
            '<h1><span id="chat-title">Chat</span><span id="section-title"></span></h1>',
            elem_id="header-title",
            padding=False,
            apply_default_css=False,
        )
        gr.HTML("", elem_id="header-actions", padding=False, apply_default_css=False)
        gr.HTML(
            _button("toggle-inspector", "Show or hide the chat's settings", "panel-right"),
            elem_id="header-right",
            padding=False,
            apply_default_css=False,
        )

    async def filled() -> Mapping[Component, Any]:
        return {pill: _pill(page)}

    page.fill_in(filled, [pill])


def _pill(page: Page) -> str:
    card = page.runtime.models.known_card(None)
    name = html.escape(card.name if card else _NO_MODEL)
    return f'<button type="button" data-section="model-tab" title="Models">{name}<i class="icon icon-chevron-down"></i></button>'


def _button(name: str, label: str, icon: str) -> str:
    return (
        f'<button type="button" id="{name}" class="icon-only" title="{label}" aria-label="{label}">'
        f'<i class="icon icon-{icon}"></i></button>'
    )
