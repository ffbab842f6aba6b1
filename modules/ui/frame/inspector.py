"""The tabs of the right column."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import gradio as gr

from modules.ui.page.page import Page

TABS: Final = "inspector-tabs"


@contextmanager
def inspector() -> Iterator[None]:
    """Within it each part is built in an `inspector_tab`."""
    with gr.Column(elem_id="inspector"), gr.Tabs(elem_id=TABS):
        yield


@contextmanager
def inspector_tab(title: str, name: str, *, is_first: bool = False) -> Iterator[gr.Tab]:
    """The first is there from the start: what the page's script looks at stands in it."""
    with gr.Tab(title, id=name, elem_id=f"inspector-{name}", render_children=is_first) as tab:
        yield tab


def extension_blocks(page: Page) -> None:
    """A tab of their own, where there are any."""
    if not page.extensions.blocks:
        return
    with inspector_tab("Extensions", "extensions"):
        for block in page.extensions.blocks:
            block.build()
