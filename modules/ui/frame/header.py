"""The row above every section: the model, what is shown, and what opens the columns beside it."""

from collections.abc import Callable

import gradio as gr


def header(build_pill: Callable[[], None]) -> None:
    """`build_pill` makes what says which model answers."""
    with gr.Row(elem_id="header"):
        gr.HTML(
            _button("toggle-left", "Show or hide the chats", "panel-left"),
            elem_id="header-left",
            padding=False,
            apply_default_css=False,
        )
        build_pill()
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


def _button(name: str, label: str, icon: str) -> str:
    return (
        f'<button type="button" id="{name}" class="icon-only" title="{label}" aria-label="{label}">'
        f'<i class="icon icon-{icon}"></i></button>'
    )
