"""The Settings section: one page of settings at a time, chosen in a list that can be searched."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import gradio as gr

from modules.ui.page.page import Page

SETTINGS_TAB: Final = "settings-tab"
_SEARCH: Final = (
    '<input type="search" id="settings-search" placeholder="Search settings" aria-label="Search settings" '
    'autocomplete="off"/>'
)


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """`name` is the id of its tab; `build` is called within it. One for experts is hidden from others."""

    title: str
    name: str
    build: Callable[[Page], None]
    icon: str = "settings"
    is_expert: bool = False


def build_settings(page: Page, pages: Sequence[SettingsPage]) -> None:
    """To be called within the section's tab."""
    with gr.Row(elem_id="settings-area"):
        items = "".join(map(_item, pages))
        listed = f'<nav aria-label="Settings">{_SEARCH}<div class="pages">{items}</div><div class="found" role="status"></div></nav>'
        gr.HTML(listed, elem_id="settings-list", padding=False, apply_default_css=False)
        with gr.Tabs(elem_id="settings-pages"):
            for each in pages:
                with gr.Tab(each.title, id=each.name, elem_id=each.name):
                    gr.HTML(f"<h2>{html.escape(each.title)}</h2>", padding=False, apply_default_css=False)
                    each.build(page)


def _item(page: SettingsPage) -> str:
    level = " expert" if page.is_expert else ""
    return (
        f'<button type="button" class="section{level}" data-section="{html.escape(page.name)}">'
        f'<i class="icon icon-{page.icon}"></i><span>{html.escape(page.title)}</span></button>'
    )
