"""Whether the page shows what only experts look for; what is hidden stays in force."""

from collections.abc import Mapping
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.ui.page.page import Page
from modules.ui.shell.internals import sent_data

_SETTING: Final = "show_expert"
_MORE: Final = '<button type="button" class="quiet" data-level="expert">Show all parameters</button>'
_BRIDGE: Final = """
window.level.connect((level) => trigger('submit', { level }), props.value);
watch('value', () => window.level.apply(props.value));
"""


def level_bridge(page: Page) -> None:
    """The page's script shows and hides; what was chosen is kept for the next visit."""
    bridge = gr.HTML(_level(page), html_template="", js_on_load=_BRIDGE, elem_id="page-level", visible=True)

    async def filled() -> Mapping[Component, Any]:
        return {bridge: _level(page)}

    async def chosen(event: gr.EventData) -> None:
        sent = sent_data(event)
        level = sent.get("level") if isinstance(sent, dict) else None
        # Where several visitors share the page, the choice is their browser's alone.
        if level in {"simple", "expert"} and not page.settings.multi_user:
            page.saved_settings.remember({_SETTING: level == "expert"})

    page.fill_in(filled, [bridge])
    page.on_ready(lambda: bridge.submit(chosen, None, None, show_progress="hidden", api_visibility="private"))


def more_for_experts() -> None:
    """To be called below what experts see more of."""
    gr.HTML(_MORE, elem_classes="for-simple", padding=False, apply_default_css=False)


def _level(page: Page) -> str:
    return "expert" if page.settings.show_expert else "simple"
