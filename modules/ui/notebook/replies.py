"""Events of the Notebook tab that have the model write, and that undo what it wrote."""

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.errors import BadRequest, NotLoaded, ServiceError
from modules.settings.values import Settings
from modules.ui.model.notice import ModelNotice
from modules.ui.notebook.layout import Paper, Shown
from modules.ui.notebook.open_notebooks import OpenNotebook, OpenNotebooks
from modules.ui.notebook.text import NotebookText, completion_request
from modules.ui.notebook.views import counted
from modules.ui.notebook.writing import Moment, Writing, written
from modules.ui.page.page import Page, failure, notify_errors
from modules.ui.replies.throttle import ReplyPacer

Entered = Mapping[Component, Any]
UndoSteps = AsyncGenerator[Shown, None]
Starting = Callable[[OpenNotebook, NotebookText], NotebookText]

COLUMNS: Final = "show_two_notebook_columns"
_SAVE_SECONDS: Final = 1.0


class NotebookReplies:
    """Every handler gets what has been entered, by component, and gives values for components."""

    def __init__(self, page: Page, open_notebooks: OpenNotebooks, paper: Paper) -> None:
        self._page = page
        self._open_notebooks = open_notebooks
        self._paper = paper
        self.notice = ModelNotice(page, paper.notice, "This notebook")

    async def generate(self, entered: Entered) -> UndoSteps:
        """The text goes on; where there are two columns, in place of how it went on before."""
        async with aclosing(self._told(entered, _afresh)) as steps:
            async for shown in steps:
                yield shown

    async def go_on(self, entered: Entered) -> UndoSteps:
        """The text goes on where it ends."""
        async with aclosing(self._told(entered, _as_shown)) as steps:
            async for shown in steps:
                yield shown

    async def regenerate(self, entered: Entered) -> UndoSteps:
        """Once more from where the latest reply began."""
        async with aclosing(self._told(entered, _begun)) as steps:
            async for shown in steps:
                yield shown

    async def undo(self, entered: Entered) -> Shown:
        """The text as it was before the latest reply."""
        return await notify_errors(self._undone(entered))

    async def stop(self, owner: str) -> None:
        """Ends this tab's reply with what is shown of it."""
        self._page.runtime.work.stop(owner)
        writing = (await notify_errors(self._notebook(owner))).writing
        if writing is not None:
            writing.cut()

    def sheet(self, entered: Entered) -> NotebookText:
        """What the tab shows."""
        has_columns = self._page.inputs.values(entered).get(COLUMNS, self._page.settings.show_two_notebook_columns)
        return NotebookText(
            text=str(entered[self._paper.text] or ""),
            continuation=str(entered[self._paper.continuation] or ""),
            has_columns=bool(has_columns),
        )

    def settings(self, entered: Entered) -> Settings:
        """Raises SettingsError."""
        return self._page.saved_settings.remember(self._page.inputs.values(entered))

    def shown(self, sheet: NotebookText) -> Shown:
        return {self._paper.text: sheet.text, self._paper.continuation: sheet.continuation}

    async def status(self, sheet: NotebookText) -> str:
        """How long the text is, while a model is there to say so."""
        if self._page.runtime.models.state.card is None:
            return ""
        try:
            return counted(len(await self._page.runtime.chat.encode(sheet.whole)))
        except ServiceError:
            return ""

    async def _told(self, entered: Entered, starting: Starting) -> UndoSteps:
        """What went wrong by the program's own account is shown to the user as it is."""
        async with aclosing(self._written(entered, starting)) as steps:
            try:
                async for shown in steps:
                    yield shown
            except ServiceError as error:
                raise failure(error.message) from None

    async def _written(self, entered: Entered, starting: Starting) -> UndoSteps:
        settings = self.settings(entered)
        notebook = self._open_notebooks.of(entered[self._paper.owner])
        notebook.refuse_busy()
        notebook.refuse_stale(entered[self._paper.turn])
        sheet = self.sheet(entered)
        start = starting(notebook, sheet)
        request = completion_request(settings, start.whole)
        if self._page.runtime.models.state.name is None:
            raise NotLoaded("No model is loaded. Choose one at the top of the page first.")
        notebook.steps.begin(sheet, start)
        events = self._page.runtime.chat.complete(request, owner=notebook.owner)
        async with written(events, ReplyPacer(settings.max_tokens_second)) as writing:
            notebook.writing = writing
            try:
                async with aclosing(self._followed(notebook, start, writing, settings)) as steps:
                    async for shown in steps:
                        yield shown
            finally:
                notebook.writing = None

    async def _followed(
        self, notebook: OpenNotebook, start: NotebookText, writing: Writing, settings: Settings
    ) -> UndoSteps:
        """The text as it grows, kept about once a second and, whoever closes this, at the end."""
        yield {**self._shown_whole(start, is_writing=True), self._paper.status: ""}
        saved, begun = time.monotonic(), time.monotonic()
        try:
            async with aclosing(writing.moments()) as moments:
                async for moment in moments:
                    sheet = start.with_words(moment.words)
                    yield {
                        **(self.shown(sheet) if settings.stream and moment.words else {}),
                        self._paper.status: _progress(moment),
                    }
                    if time.monotonic() - saved > _SAVE_SECONDS:
                        await self._open_notebooks.keep(notebook, sheet)
                        saved = time.monotonic()
        finally:
            sheet = start.with_words(writing.moment.words)
            await self._open_notebooks.keep(notebook, sheet)
            await self._open_notebooks.note_model(notebook, writing.model)
        speed = _speed(writing.moment, time.monotonic() - begun)
        status = " · ".join(filter(None, (await self.status(sheet), speed)))
        yield {
            **self._shown_whole(sheet, is_writing=False),
            self._paper.status: status,
            **await self.notice.shown(""),
        }
        if writing.error is not None:
            raise failure(writing.error)

    async def _notebook(self, owner: str) -> OpenNotebook:
        return self._open_notebooks.of(owner)

    async def _undone(self, entered: Entered) -> Shown:
        notebook = self._open_notebooks.of(entered[self._paper.owner])
        notebook.refuse_busy()
        notebook.refuse_stale(entered[self._paper.turn])
        sheet = notebook.steps.back()
        if sheet is None:
            raise BadRequest("There is nothing to undo.")
        await self._open_notebooks.keep(notebook, sheet)
        return {**self.shown(sheet), self._paper.status: await self.status(sheet)}

    def _shown_whole(self, sheet: NotebookText, *, is_writing: bool) -> Shown:
        """The text, which is the model's while it writes, and what can be pressed."""
        paper = self._paper
        return {
            **self.shown(sheet),
            paper.text: gr.Textbox(value=sheet.text, interactive=not is_writing),
            paper.generate: gr.Button(visible=not is_writing),
            paper.stop: gr.Button(visible=is_writing),
            **{each: gr.Button(interactive=not is_writing) for each in (paper.go_on, paper.undo, paper.regenerate)},
        }


def _afresh(_notebook: OpenNotebook, shown: NotebookText) -> NotebookText:
    return shown.afresh() if shown.has_columns else shown


def _as_shown(_notebook: OpenNotebook, shown: NotebookText) -> NotebookText:
    return shown


def _begun(notebook: OpenNotebook, _shown: NotebookText) -> NotebookText:
    if notebook.steps.begun is None:
        raise BadRequest("There is no completion to regenerate yet.")
    return notebook.steps.begun


def _progress(moment: Moment) -> str:
    return "" if moment.reading is None or moment.words else f"Processing the prompt: {moment.reading:.0%}"


def _speed(moment: Moment, seconds: float) -> str:
    if not moment.tokens or seconds <= 0:
        return ""
    return f"{counted(moment.tokens)} in {seconds:.1f} s ({moment.tokens / seconds:.1f} a second)"
