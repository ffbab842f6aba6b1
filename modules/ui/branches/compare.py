"""The components in which two versions of a reply stand beside each other."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.chat.session.session import versions_of
from modules.library.chats.history import ChatTurn, Version
from modules.settings.values import Settings
from modules.ui.page.formulas import DELIMITERS
from modules.ui.page.menus import name_menu

SAME: Final = "same:"
MODEL: Final = "model:"
PRESET: Final = "preset:"
_SIDES: Final = ("left", "right")
# What the page's script asks for, and is told to choose from.
_BRIDGE: Final = """
window.compare.connect((asked) => trigger('submit', asked), (asked) => trigger('select', asked), () => props.value);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareSide:
    """`shown` is the number of the version that stands there, or None."""

    shown: gr.State
    versions: gr.Dropdown
    use: gr.Button
    view: gr.Chatbot

    @property
    def outputs(self) -> list[Component]:
        return [self.shown, self.versions, self.use, self.view]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareParts:
    """In place of the conversation while it is open. `row` is the reply's, `bridge` what it can be regenerated with."""

    bridge: gr.HTML
    panel: gr.Column
    row: gr.State
    sides: tuple[CompareSide, CompareSide]
    stop: gr.Button
    close: gr.Button

    @property
    def outputs(self) -> list[Any]:
        return [self.bridge, self.panel, self.row, self.stop, *(part for side in self.sides for part in side.outputs)]


def compare_parts(settings: Settings) -> CompareParts:
    bridge = gr.HTML("[]", html_template="", js_on_load=_BRIDGE, elem_id="compare-bridge", visible=True)
    row = gr.State(-1)
    with gr.Column(visible=False, elem_id="compare") as panel:
        with gr.Row(elem_id="compare-head", elem_classes="tight"):
            gr.HTML("<h2>Compare two versions</h2>", padding=False, apply_default_css=False)
            stop = gr.Button("Stop", size="sm", visible=False, elem_id="compare-stop")
            close = gr.Button("Close", size="sm", elem_id="compare-close")
        with gr.Row(elem_id="compare-sides"):
            first, second = (_side(name, settings) for name in _SIDES)
    return CompareParts(bridge=bridge, panel=panel, row=row, sides=(first, second), stop=stop, close=close)


def _side(name: str, settings: Settings) -> CompareSide:
    with gr.Column(elem_id=f"compare-{name}", elem_classes="compare-side", min_width=280):
        with gr.Row(elem_classes="compare-bar", equal_height=True):
            versions = name_menu(
                label=f"Version on the {name}", show_label=False, container=False, scale=3, min_width=120
            )
            # The page's script opens the menu.
            gr.Button("Regenerate with…", size="sm", scale=0, min_width=96, elem_classes="compare-again")
            use = gr.Button("Use this", size="sm", variant="primary", scale=0, min_width=96)
        view = gr.Chatbot(
            [],
            label=f"Reply on the {name}",
            show_label=False,
            container=False,
            height="auto",
            layout="bubble" if settings.chat_style == "bubbles" else "panel",
            buttons=[],
            feedback_options=None,
            latex_delimiters=DELIMITERS,
            group_consecutive_messages=True,
            elem_id=f"compare-{name}-view",
        )
    return CompareSide(shown=gr.State(None), versions=versions, use=use, view=view)


def version_choices(turn: ChatTurn) -> list[tuple[str, str]]:
    """Label and number of each."""
    return [(_label(number, version, turn.version), str(number)) for number, version in enumerate(versions_of(turn))]


def again_choices(models: Sequence[str], presets: Sequence[str]) -> str:
    """For the page's script: what a reply can be regenerated with."""
    return json.dumps(
        [
            {"label": "The same settings", "choice": SAME},
            *({"group": "Model", "label": name, "choice": f"{MODEL}{name}"} for name in models),
            *({"group": "Preset", "label": name, "choice": f"{PRESET}{name}"} for name in presets),
        ]
    )


def _label(number: int, version: Version, chosen: int) -> str:
    preset = version.extra.get("preset")
    pace = f"{version.tokens / version.seconds:.1f} tok/s" if version.tokens and version.seconds else ""
    known = (version.model, f"preset {preset}" if preset else "", pace, "in use" if number == chosen else "")
    return " · ".join(filter(None, (f"Version {number + 1}", *known)))
