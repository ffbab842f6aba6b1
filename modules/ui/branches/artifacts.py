"""Markdown out of replies as a page of its own, for the pane that shows it."""

import json
from typing import Final

import gradio as gr
from markdown_it import MarkdownIt

# What the page's script and the server say to each other.
_BRIDGE: Final = """
window.artifacts.connect((asked) => trigger('submit', asked));
watch('value', () => window.artifacts.apply(props.value));
"""
_MARKDOWN: Final = MarkdownIt("js-default", {"html": False, "linkify": False})
_MAX_CHARACTERS: Final = 400_000


def artifact_bridge() -> gr.HTML:
    """To be called where the conversation stands."""
    return gr.HTML("{}", html_template="", js_on_load=_BRIDGE, elem_id="artifact-bridge", visible=True)


def rendered(source: str) -> str:
    """HTML in which tags of the text are text: for the page's script, which names it by its source."""
    return json.dumps({"source": source, "html": _MARKDOWN.render(source[:_MAX_CHARACTERS])})
