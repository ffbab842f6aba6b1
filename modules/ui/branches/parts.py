"""The components for what else could have been said: probabilities of words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import gradio as gr
from gradio.components import Component

from modules.settings.values import Settings
from modules.ui.branches.artifacts import artifact_bridge
from modules.ui.branches.compare import CompareParts, compare_parts
from modules.ui.page.page import Page

# What the page's script and the server say to each other.
_BRIDGE: Final = """
window.tokenView.connect((asked) => trigger('submit', asked), (act) => trigger('select', act), () => props.value);
watch('value', () => window.tokenView.apply(props.value));
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchParts:
    """`tokens` is told of the probabilities of words, and what its user does with them."""

    tokens: gr.HTML
    compare: CompareParts
    artifacts: gr.HTML


def branch_parts(settings: Settings) -> BranchParts:
    """To be called where the conversation stands."""
    return BranchParts(tokens=_token_view(), compare=compare_parts(settings), artifacts=artifact_bridge())


def _token_view() -> gr.HTML:
    """What the page's script asks for tokens, and is told whether to show any."""
    return gr.HTML("{}", html_template="", js_on_load=_BRIDGE, elem_id="token-view", visible=True)


def probabilities_switch(page: Page) -> None:
    """To be called in the inspector."""
    switch = gr.Checkbox(
        page.settings.show_probabilities,
        label="Probabilities",
        info="Tints each word of new replies by how likely it was. Choose a word to take another one in its place.",
        elem_id="show-probabilities",
    )
    page.inputs.add("show_probabilities", switch)


def switched(*, is_on: bool) -> str:
    return json.dumps({"on": is_on})


def connect_switch(page: Page, view: gr.HTML) -> None:
    """The page begins as it was left."""

    async def filled() -> Mapping[Component, object]:
        return {view: switched(is_on=page.settings.show_probabilities)}

    async def switch(is_on: object) -> str:
        page.saved_settings.remember({"show_probabilities": is_on is True})
        return switched(is_on=is_on is True)

    page.fill_in(filled, [view])
    switches = page.inputs["show_probabilities"]
    switches.input(switch, [switches], [view], show_progress="hidden", api_visibility="private")
