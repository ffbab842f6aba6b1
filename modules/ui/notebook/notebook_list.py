"""Events of the Notebook tab that concern files: choose, create, rename, delete, autosave."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import gradio as gr

from modules.errors import BadRequest
from modules.ui.notebook.layout import Menu, Paper, Shown
from modules.ui.notebook.open_notebooks import OpenNotebook, OpenNotebooks
from modules.ui.notebook.replies import Entered, NotebookReplies
from modules.ui.notebook.text import NotebookText
from modules.ui.page.languages import text
from modules.ui.page.page import Page, notify_errors

_SAVE_SECONDS: Final = 1.0
_SHARED: Final = "With --multi-user notebooks are not saved."


class NotebookListHandlers:
    def __init__(
        self, page: Page, open_notebooks: OpenNotebooks, menu: Menu, paper: Paper, replies: NotebookReplies
    ) -> None:
        self._page = page
        self._open_notebooks = open_notebooks
        self._menu = menu
        self._paper = paper
        self._replies = replies
        self._notebooks = page.runtime.library.notebooks

    async def opened(self) -> Shown:
        """For a browser that opens the page: the notebook that was open last."""
        notebook = self._open_notebooks.begin()
        settings = self._page.settings
        text = ""
        if not settings.multi_user:
            text = await self._last(notebook, settings.prompt_notebook)
        sheet = NotebookText(text=text, has_columns=settings.show_two_notebook_columns)
        return {
            self._paper.owner: notebook.owner,
            **await self._listed(notebook),
            self._paper.turn: notebook.turn,
            **self._replies.shown(sheet),
            self._paper.status: await self._replies.status(sheet),
            **self.layout(has_columns=sheet.has_columns),
            **await self._replies.notice.shown(await self._open_notebooks.model_of(notebook)),
        }

    def layout(self, *, has_columns: bool) -> Shown:
        return {
            self._paper.column: gr.Column(visible=has_columns),
            self._paper.go_on: gr.Button(visible=has_columns),
        }

    async def changed(self, entered: Entered) -> AsyncGenerator[Shown, None]:
        """Keeps what was written by hand; it takes about a second, so that letters that follow are kept together."""
        yield await notify_errors(self._kept(entered))
        await asyncio.sleep(_SAVE_SECONDS)

    async def choose(self, entered: Entered) -> Shown:
        return await notify_errors(self._chosen(entered))

    async def new(self, entered: Entered) -> Shown:
        return await notify_errors(self._made(entered))

    async def refresh(self, owner: str) -> Shown:
        return await self._listed(await notify_errors(self._notebook(owner)))

    async def ask_name(self, owner: str) -> Shown:
        """Shows the box for the name."""
        notebook = await notify_errors(self._notebook(owner))
        return {self._menu.name: gr.Textbox(value=notebook.name, visible=bool(notebook.name))}

    async def rename(self, owner: str, name: str) -> Shown:
        return await notify_errors(self._renamed(owner, name))

    async def ask(self, owner: str) -> Shown:
        """Shows the button that deletes."""
        notebook = await notify_errors(self._notebook(owner))
        return {
            self._menu.confirm: gr.Button(
                text("Delete {name} for good", name=notebook.name), visible=bool(notebook.name)
            )
        }

    async def delete(self, owner: str) -> Shown:
        return await notify_errors(self._deleted(owner))

    async def _last(self, notebook: OpenNotebook, name: str) -> str:
        try:
            text = await asyncio.to_thread(self._notebooks.read, name) if name else ""
        except BadRequest:
            return ""
        notebook.name = name
        return text

    async def _kept(self, entered: Entered) -> Shown:
        notebook = self._open_notebooks.of(entered[self._paper.owner])
        sheet = self._replies.sheet(entered)
        status = {self._paper.status: await self._replies.status(sheet)}
        if notebook.writing is not None or not self._is_current(notebook, entered):
            return status
        if not await self._open_notebooks.keep(notebook, sheet):
            return status
        return {**status, **await self._listed(notebook)}

    async def _chosen(self, entered: Entered) -> Shown:
        notebook = await self._left(entered)
        return await self._shown_anew(notebook, str(entered[self._menu.notebooks] or ""))

    async def _made(self, entered: Entered) -> Shown:
        notebook = await self._left(entered)
        return await self._shown_anew(notebook, await asyncio.to_thread(self._notebooks.new))

    async def _renamed(self, owner: str, name: str) -> Shown:
        notebook = await self._free(owner)
        if notebook.name and name.strip() and name.strip() != notebook.name:
            async with notebook.naming:
                notebook.name = await asyncio.to_thread(self._notebooks.rename, notebook.name, name)
            self._open_notebooks.note(notebook.name)
        return await self._listed(notebook)

    async def _deleted(self, owner: str) -> Shown:
        notebook = await self._free(owner)
        if notebook.name:
            await asyncio.to_thread(self._notebooks.delete, notebook.name)
        return await self._shown_anew(notebook, "")

    async def _left(self, entered: Entered) -> OpenNotebook:
        """The tab's notebook, whose text is kept before another one takes its place."""
        notebook = await self._free(entered[self._paper.owner])
        if self._is_current(notebook, entered):
            await self._open_notebooks.keep(notebook, self._replies.sheet(entered))
        return notebook

    async def _shown_anew(self, notebook: OpenNotebook, name: str) -> Shown:
        text = await asyncio.to_thread(self._notebooks.read, name) if name else ""
        notebook.show(name)
        self._open_notebooks.note(name)
        sheet = NotebookText(text=text, has_columns=self._page.settings.show_two_notebook_columns)
        status = {self._paper.status: await self._replies.status(sheet)}
        shown = {self._paper.turn: notebook.turn, **self._replies.shown(sheet), **status}
        notice = await self._replies.notice.shown(await self._open_notebooks.model_of(notebook))
        return {**shown, **notice, **await self._listed(notebook)}

    async def _free(self, owner: str) -> OpenNotebook:
        """Raises BadRequest while the model writes, and where nothing is kept."""
        if self._page.settings.multi_user:
            raise BadRequest(_SHARED)
        notebook = self._open_notebooks.of(owner)
        notebook.refuse_busy()
        return notebook

    def _is_current(self, notebook: OpenNotebook, entered: Entered) -> bool:
        """Whether what the browser sent is of the notebook that the tab shows now, not of the one before."""
        return bool(entered[self._paper.turn] == notebook.turn)

    async def _notebook(self, owner: str) -> OpenNotebook:
        return self._open_notebooks.of(owner)

    async def _listed(self, notebook: OpenNotebook) -> Shown:
        names = [] if self._page.settings.multi_user else await asyncio.to_thread(self._notebooks.names)
        return {
            self._menu.notebooks: gr.Dropdown(choices=names, value=notebook.name if notebook.name in names else None),
            self._menu.confirm: gr.Button(visible=False),
            self._menu.name: gr.Textbox(visible=False),
        }
