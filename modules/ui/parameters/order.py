"""The order of samplers, as a list whose rows are dragged, moved with keys and switched off."""

import json
from pathlib import Path
from typing import Final

import gradio as gr

from modules.sampling import SAMPLER_ORDER
from modules.settings.values import Settings
from modules.ui.page.page import Page

_PARTS: Final = Path(__file__).parents[1] / "assets" / "parameters" / "parts"


def build_order(page: Page) -> gr.HTML:
    """Its value is a list of names; those left out do not run. What a browser sends instead is refused by the setting."""
    settings = page.settings
    order = gr.HTML(
        list(settings.sampler_priority),
        html_template="",
        css_template=(_PARTS / "order.css").read_text(encoding="utf-8"),
        js_on_load=f"const SAMPLERS = {json.dumps(SAMPLER_ORDER)};\n{(_PARTS / 'order.js').read_text(encoding='utf-8')}",
        elem_id="sampler-order",
        label="Sampler order",
        last=settings.temperature_last,
    )
    page.inputs.add("sampler_priority", order)
    return order


def reordered(settings: Settings) -> gr.HTML:
    """What brings the list to what is in `settings`."""
    return gr.HTML(value=list(settings.sampler_priority), last=settings.temperature_last)
