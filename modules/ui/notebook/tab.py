"""The Notebook tab: a plain text that the model goes on with, and what can be seen in it."""

import asyncio
from collections.abc import Sequence
from typing import Final

import gradio as gr
from gradio.components import Component

from modules.requests import LogitsRequest
from modules.ui.notebook.layout import Menu, Paper, Shown, Views, menu, paper
from modules.ui.notebook.notebook_list import NotebookListHandlers
from modules.ui.notebook.open_notebooks import OpenNotebooks
from modules.ui.notebook.replies import COLUMNS, Entered, NotebookReplies
from modules.ui.notebook.views import framed, next_tokens_html, tokens_html
from modules.ui.page.escape import shown_markdown
from modules.ui.page.page import Page, notify_errors
from modules.ui.replies.requests import sampling

_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}
# More than anybody reads; the rest of a vocabulary has next to no probability.
_LIKELIEST: Final = 50
# Each token is an element of the page.
_SHOWN_TOKENS: Final = 2000
# One question to the model's process per token would take a round trip each.
_AT_ONCE: Final = 64


def build_notebook(page: Page) -> None:
    """To be called within the tab."""
    rows = menu(page)
    sheet, views = paper(page)
    page.on_ready(lambda: _Wiring(page, rows, sheet, views).connect())


class NotebookLooks:
    """The text seen in other ways; handlers take what has been entered."""

    def __init__(self, page: Page, replies: NotebookReplies, views: Views) -> None:
        self._page = page
        self._replies = replies
        self._views = views

    async def markdown(self, entered: Entered) -> str:
        return shown_markdown(self._text(entered))

    async def html(self, entered: Entered) -> str:
        return framed(self._text(entered))

    async def next_tokens(self, entered: Entered) -> Shown:
        """What may come next, beside what was found before."""
        return await notify_errors(self._next_tokens(entered))

    async def tokens(self, entered: Entered) -> str:
        return await notify_errors(self._tokens(entered))

    async def _next_tokens(self, entered: Entered) -> Shown:
        settings = self._replies.settings(entered)
        drawn = sampling(settings) if entered[self._views.with_samplers] else None
        request = LogitsRequest(model=None, prompt=self._text(entered), top=_LIKELIEST, sampling=drawn)
        found = await self._page.runtime.chat.next_token(request)
        before = entered[self._views.next_tokens] or ""
        earlier = {self._views.earlier: gr.update(value=before, visible=True)} if "<table" in before else {}
        return earlier | {self._views.next_tokens: next_tokens_html(found)}

    async def _tokens(self, entered: Entered) -> str:
        settings = self._replies.settings(entered)
        ids = await self._page.runtime.chat.encode(self._text(entered), add_bos=settings.add_bos_token)
        shown = ids[:_SHOWN_TOKENS]
        pieces = await self._pieces(list(dict.fromkeys(shown)))
        return tokens_html([(token, pieces[token]) for token in shown], len(ids))

    async def _pieces(self, ids: Sequence[int]) -> dict[int, str]:
        decode = self._page.runtime.chat.decode
        pieces: dict[int, str] = {}
        for place in range(0, len(ids), _AT_ONCE):
            batch = ids[place : place + _AT_ONCE]
            texts = await asyncio.gather(*(decode([token]) for token in batch))
            pieces |= zip(batch, texts, strict=True)
        return pieces

    def _text(self, entered: Entered) -> str:
        return self._replies.sheet(entered).whole


class _Wiring:
    def __init__(self, page: Page, rows: Menu, sheet: Paper, views: Views) -> None:
        self._page = page
        self._menu = rows
        self._paper = sheet
        self._views = views
        self._open_notebooks = OpenNotebooks(page)
        # Gradio copies what it knows of components for each browser, and with a bound method all that it belongs to.
        sheet.owner.delete_callback = lambda owner: self._open_notebooks.forget(owner)  # noqa: PLW0108
        self._replies = NotebookReplies(page, self._open_notebooks, sheet)
        self._list = NotebookListHandlers(page, self._open_notebooks, rows, sheet, self._replies)
        self._looks = NotebookLooks(page, self._replies, views)
        self._written: set[Component] = {sheet.owner, sheet.turn, sheet.text, sheet.continuation}
        if COLUMNS in page.inputs:
            self._written.add(page.inputs[COLUMNS])
        self._entered = {*self._written, *page.inputs.components}
        self._listed: list[Component] = [rows.notebooks, rows.confirm, rows.name]

    def connect(self) -> None:
        self._replies.notice.connect()
        self._connect_replies()
        self._connect_shelf()
        self._connect_views()
        self._connect_columns()

    def _connect_replies(self) -> None:
        sheet, replies, outputs = self._paper, self._replies, self._paper.shown
        generated = sheet.generate.click(replies.generate, self._entered, outputs, **_QUIET)
        generated.then(self._list.refresh, [sheet.owner], self._listed, **_QUIET)
        sheet.go_on.click(replies.go_on, self._entered, outputs, **_QUIET)
        sheet.regenerate.click(replies.regenerate, self._entered, outputs, **_QUIET)
        sheet.undo.click(replies.undo, self._written, outputs, **_QUIET)
        sheet.stop.click(replies.stop, [sheet.owner], None, **_QUIET)

    def _connect_shelf(self) -> None:
        handlers, sheet, rows = self._list, self._paper, self._menu
        listed = self._listed
        outputs = [*listed, *sheet.shown]
        sheet.text.input(handlers.changed, self._written, [*listed, sheet.status], trigger_mode="always_last", **_QUIET)
        rows.notebooks.input(
            handlers.choose, {*self._written, rows.notebooks}, outputs, trigger_mode="always_last", **_QUIET
        )
        rows.new.click(handlers.new, self._written, outputs, **_QUIET)
        rows.refresh.click(handlers.refresh, [sheet.owner], listed, **_QUIET)
        rows.rename.click(handlers.ask_name, [sheet.owner], [rows.name], **_QUIET)
        rows.name.submit(handlers.rename, [sheet.owner, rows.name], listed, **_QUIET)
        rows.delete.click(handlers.ask, [sheet.owner], [rows.confirm], **_QUIET)
        rows.confirm.click(handlers.delete, [sheet.owner], outputs, **_QUIET)
        self._page.on_open(handlers.opened, [sheet.owner, sheet.column, *outputs])

    def _connect_views(self) -> None:
        views, looks = self._views, self._looks
        gr.on(
            [views.markdown_tab.select, views.render.click], looks.markdown, self._written, [views.markdown], **_QUIET
        )
        views.html_tab.select(looks.html, self._written, [views.html], **_QUIET)
        asked = {*self._entered, views.with_samplers, views.next_tokens}
        found: list[Component] = [views.next_tokens, views.earlier]
        views.next_button.click(looks.next_tokens, asked, found, **_QUIET)
        views.tokens_tab.select(looks.tokens, self._entered, [views.tokens], **_QUIET)

    def _connect_columns(self) -> None:
        if COLUMNS not in self._page.inputs:
            return

        async def lay_out(has_columns: bool) -> Shown:
            return self._list.layout(has_columns=has_columns)

        columns = self._page.inputs[COLUMNS]
        columns.input(lay_out, [columns], [self._paper.column, self._paper.go_on], **_QUIET)
