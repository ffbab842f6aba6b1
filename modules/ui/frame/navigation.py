"""The sections of the page, and the navigation between them."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import gradio as gr

# Keyboards get past what stands before the message box.
_SKIP: Final = '<a class="skip-link" href="#box" data-skip="#box textarea">Skip to the message box</a>'


@dataclass(frozen=True, slots=True)
class Section:
    """`name` is the id of its tab, `icon` one of `assets/shell/icons.css`."""

    title: str
    name: str
    icon: str = "puzzle"


def skip_link() -> None:
    gr.HTML(_SKIP, elem_id="skip", padding=False, apply_default_css=False)


def navigation(sections: Sequence[Section]) -> None:
    """The page's script presses the sections' tabs, whose own bar is hidden."""
    items = "".join(map(_item, sections))
    gr.HTML(f'<nav aria-label="Sections">{items}</nav>', elem_id="navigation", padding=False, apply_default_css=False)


def _item(section: Section) -> str:
    title = html.escape(section.title)
    return (
        f'<button type="button" class="section" data-section="{html.escape(section.name)}">'
        f'<i class="icon icon-{section.icon}"></i><span>{title}</span></button>'
    )
