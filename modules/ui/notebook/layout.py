"""The components of the Notebook tab, and where they stand."""

from dataclasses import dataclass
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.ui.model.notice import NoticeParts, notice_parts
from modules.ui.page.formulas import DELIMITERS
from modules.ui.page.menus import name_menu
from modules.ui.page.page import Page

Shown = dict[Component, Any]

NEXT_TOKEN_HINT: Final = "<p>The tokens that may come next after the text, each with its probability. The result of before is kept beside it.</p>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """The user's notebooks."""

    row: gr.Row
    notebooks: gr.Dropdown
    refresh: gr.Button
    new: gr.Button
    rename: gr.Button
    delete: gr.Button
    confirm: gr.Button
    name: gr.Textbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """The text itself, in one column or two, and what is done to it. `owner` is in whose name the tab's replies run;
    `turn` comes back with the text and says which showing of a notebook the text is from."""

    owner: gr.State
    turn: gr.Textbox
    text: gr.Textbox
    continuation: gr.Textbox
    column: gr.Column
    generate: gr.Button
    go_on: gr.Button
    stop: gr.Button
    undo: gr.Button
    regenerate: gr.Button
    status: gr.Markdown
    notice: NoticeParts

    @property
    def shown(self) -> list[Component]:
        """What changes when the text does."""
        return [
            self.turn,
            self.text,
            self.continuation,
            self.generate,
            self.go_on,
            self.stop,
            self.undo,
            self.regenerate,
            self.status,
            *self.notice.outputs,
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """Other ways to look at the text, each in a tab."""

    markdown_tab: gr.Tab
    markdown: gr.Markdown
    render: gr.Button
    html_tab: gr.Tab
    html: gr.HTML
    next_tab: gr.Tab
    with_samplers: gr.Checkbox
    next_button: gr.Button
    next_tokens: gr.HTML
    earlier: gr.HTML
    tokens_tab: gr.Tab
    tokens: gr.HTML


def menu(page: Page) -> Menu:
    with gr.Row(elem_classes="tight", equal_height=True, visible=not page.settings.multi_user) as row:
        notebooks = name_menu(
            page.runtime.library.notebooks.names(),
            value=None,
            label="Notebook",
            show_label=False,
            container=False,
            scale=3,
            min_width=200,
            elem_id="notebook-menu",
        )
        refresh = gr.Button("Refresh", size="sm", min_width=70, elem_id="refresh-notebooks")
        new = gr.Button("New", size="sm", min_width=60, elem_id="new-notebook")
        rename = gr.Button("Rename", size="sm", min_width=70, elem_id="rename-notebook")
        delete = gr.Button("Delete", size="sm", min_width=70, elem_id="delete-notebook")
        confirm = gr.Button("Delete", size="sm", variant="stop", visible=False, elem_id="confirm-delete-notebook")
    name = gr.Textbox(label="New name, then Enter", visible=False, max_lines=1, elem_id="notebook-name")
    return Menu(
        row=row,
        notebooks=notebooks,
        refresh=refresh,
        new=new,
        rename=rename,
        delete=delete,
        confirm=confirm,
        name=name,
    )


def paper(page: Page) -> tuple[Paper, Views]:
    has_columns = page.settings.show_two_notebook_columns
    owner = gr.State("")
    turn = gr.Textbox(label="Turn", visible=False)
    with gr.Row():
        with gr.Column(min_width=300), gr.Tabs():
            with gr.Tab("Raw", elem_id="raw-view"):
                text = _writable("Text to complete", "notebook-text")
            views = _views()
        with gr.Column(min_width=300, visible=has_columns) as column:
            continuation = _writable("Completion", "notebook-continuation")
    with gr.Row(elem_classes="tight", elem_id="notebook-actions"):
        generate = _action("Generate", "generate", variant="primary")
        stop = _action("Stop", "stop-writing", variant="stop", visible=False)
        go_on = _action("Continue", "continue-writing", visible=has_columns)
        undo = _action("Undo", "undo-writing")
        regenerate = _action("Regenerate", "rewrite")
        status = gr.Markdown("", elem_id="notebook-status", min_height=20)
    notice = notice_parts("notebook-model")
    return Paper(
        owner=owner,
        turn=turn,
        text=text,
        continuation=continuation,
        column=column,
        generate=generate,
        go_on=go_on,
        stop=stop,
        undo=undo,
        regenerate=regenerate,
        status=status,
        notice=notice,
    ), views


def _views() -> Views:
    with gr.Tab("Markdown", elem_id="markdown-view") as markdown_tab:
        render = gr.Button("Render", size="sm", elem_id="render-markdown")
        markdown = gr.Markdown("", latex_delimiters=DELIMITERS, sanitize_html=True, elem_id="notebook-markdown")
    with gr.Tab("HTML", elem_id="html-view") as html_tab:
        html = gr.HTML("", elem_id="notebook-html")
    with gr.Tab("Next token", elem_id="next-view") as next_tab:
        with gr.Row(elem_classes="tight"):
            next_button = gr.Button("Get next token probabilities", size="sm", elem_id="next-tokens-button")
            with_samplers = gr.Checkbox(False, label="Apply samplers", container=False, elem_id="with-samplers")
        with gr.Row():
            with gr.Column(min_width=300):
                next_tokens = _table("Current", "next-tokens", NEXT_TOKEN_HINT)
            with gr.Column(min_width=300):
                earlier = _table("Previous", "earlier-next-tokens", visible=False)
    with gr.Tab("Tokens", elem_id="tokens-view") as tokens_tab:
        tokens = gr.HTML("", apply_default_css=False, elem_id="notebook-tokens")
    return Views(
        markdown_tab=markdown_tab,
        markdown=markdown,
        render=render,
        html_tab=html_tab,
        html=html,
        next_tab=next_tab,
        with_samplers=with_samplers,
        next_button=next_button,
        next_tokens=next_tokens,
        earlier=earlier,
        tokens_tab=tokens_tab,
        tokens=tokens,
    )


def _writable(label: str, name: str) -> gr.Textbox:
    return gr.Textbox(
        label=label,
        show_label=False,
        container=False,
        lines=18,
        max_lines=18,
        placeholder="Write the beginning of a text and press Generate.",
        elem_id=name,
        elem_classes="paper",
    )


def _table(label: str, name: str, value: str = "", *, visible: bool = True) -> gr.HTML:
    return gr.HTML(
        value,
        label=label,
        show_label=True,
        container=True,
        apply_default_css=False,
        visible=visible,
        elem_id=name,
    )


def _action(label: str, name: str, **traits: Any) -> gr.Button:  # noqa: ANN401 - Gradio's own
    return gr.Button(label, size="sm", min_width=90, elem_id=name, **traits)
