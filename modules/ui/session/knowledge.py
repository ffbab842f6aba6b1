"""Settings, Knowledge: collections of documents, the state of their index, and a search to try."""

import asyncio
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.errors import ServiceError
from modules.knowledge.service import CollectionState
from modules.library.knowledge.collections import SUFFIXES
from modules.ui.page.access import check_operator
from modules.ui.page.menus import name_menu
from modules.ui.page.page import Page, failure, notify_errors
from modules.ui.shell.internals import current_tab

Shown = dict[Component, Any]

_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}
_LOOK_SECONDS: Final = 1.0
_SHOWN_FILES: Final = 500
_FOUND: Final = 5
_KIB: Final = 1024
_EMPTY: Final = (
    "<p>There are no collections yet. Create one, then drop documents on it: texts, Markdown, PDF, DOCX, HTML, CSV and "
    "code. In a chat name it as #name.</p>"
)


def build_knowledge(page: Page) -> None:
    """To be called within its tab."""
    _KnowledgePage(page).connect()


class _KnowledgePage:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._knowledge = page.runtime.knowledge
        self._tab = current_tab()
        with gr.Row():
            self._chosen = name_menu([], label="Collection", elem_id="knowledge-collection")
            self._name = gr.Textbox(label="New collection", max_lines=1, elem_id="knowledge-name")
            self._create = gr.Button("Create", size="sm", elem_id="knowledge-create")
        self._files = gr.File(
            label="Drop documents here",
            file_count="multiple",
            file_types=list(SUFFIXES),
            elem_id="knowledge-files",
            height=120,
        )
        self._state = gr.HTML(_EMPTY, elem_id="knowledge-state")
        with gr.Row(elem_classes="tight"):
            self._update = gr.Button("Update index", size="sm", elem_id="knowledge-update")
            self._stop = gr.Button("Stop", size="sm", visible=False, elem_id="knowledge-stop")
            self._delete = gr.Button("Delete collection", size="sm", variant="stop", elem_id="knowledge-delete")
        with gr.Row():
            self._file = name_menu([], label="File", elem_id="knowledge-file")
            self._remove = gr.Button("Remove file", size="sm", elem_id="knowledge-remove")
        self._query = gr.Textbox(label="Test search", max_lines=1, elem_id="knowledge-query")
        self._found = gr.HTML("", elem_id="knowledge-found")
        self._timer = gr.Timer(_LOOK_SECONDS, active=False)
        self._outputs = [
            self._chosen,
            self._name,
            self._files,
            self._state,
            self._stop,
            self._file,
            self._timer,
        ]

    def connect(self) -> None:
        outputs = self._outputs
        self._tab.select(self._opened, [self._chosen], outputs, **_QUIET)
        self._chosen.input(self._shown, [self._chosen], outputs, trigger_mode="always_last", **_QUIET)
        gr.on([self._create.click, self._name.submit], self._created, [self._name], outputs, **_QUIET)
        self._files.upload(self._added, [self._chosen, self._files], outputs, **_QUIET)
        self._update.click(self._updated, [self._chosen], outputs, **_QUIET)
        self._stop.click(self._stopped, [self._chosen], outputs, **_QUIET)
        self._delete.click(self._deleted, [self._chosen], outputs, **_QUIET)
        self._remove.click(self._removed, [self._chosen, self._file], outputs, **_QUIET)
        self._timer.tick(self._looked, [self._chosen], [self._state, self._stop, self._timer], **_QUIET)
        self._query.submit(self._searched, [self._chosen, self._query], [self._found], **_QUIET)

    async def _opened(self, chosen: str | None) -> Shown:
        names = await self._knowledge.names()
        return await self._shown(chosen if chosen in names else next(iter(names), None))

    async def _shown(self, chosen: str | None) -> Shown:
        names = await self._knowledge.names()
        shown: Shown = {self._chosen: gr.Dropdown(choices=names, value=chosen)}
        if chosen is None:
            return shown | {
                self._state: _EMPTY,
                self._stop: gr.Button(visible=False),
                self._timer: gr.Timer(active=False),
            }
        try:
            state = await self._knowledge.state(chosen)
        except ServiceError as error:
            raise failure(error.message) from None
        paths = [file.path for file, _ in state.files]
        return shown | self._progress(state) | {self._file: gr.Dropdown(choices=paths, value=None)}

    def _progress(self, state: CollectionState) -> Shown:
        is_running = state.progress.is_running
        return {
            self._state: state_html(state),
            self._stop: gr.Button(visible=is_running),
            self._timer: gr.Timer(active=is_running),
        }

    async def _looked(self, chosen: str | None) -> Shown:
        if chosen is None:
            return {self._timer: gr.Timer(active=False)}
        try:
            return self._progress(await self._knowledge.state(chosen))
        except ServiceError:
            return {self._timer: gr.Timer(active=False)}

    async def _created(self, name: str, request: gr.Request) -> Shown:
        name = name.strip().removeprefix("#")
        await self._acted(request, self._knowledge.collections.create, name)
        return await self._shown(name) | {self._name: ""}

    async def _added(self, chosen: str | None, files: Sequence[str] | None, request: gr.Request) -> Shown:
        if chosen is None:
            raise failure("Create a collection first.")
        for path in map(Path, files or ()):
            content = await asyncio.to_thread(path.read_bytes)
            await self._acted(request, self._knowledge.collections.add, chosen, path.name, content)
        await notify_errors(self._knowledge.update(chosen))
        return await self._shown(chosen) | {self._files: None}

    async def _updated(self, chosen: str | None, request: gr.Request) -> Shown:
        await self._acted(request)
        if chosen is not None:
            await notify_errors(self._knowledge.update(chosen))
        return await self._shown(chosen)

    async def _stopped(self, chosen: str | None, request: gr.Request) -> Shown:
        await self._acted(request)
        if chosen is not None:
            await self._knowledge.stop(chosen)
        return await self._shown(chosen)

    async def _deleted(self, chosen: str | None, request: gr.Request) -> Shown:
        await self._acted(request)
        if chosen is not None:
            try:
                await self._knowledge.delete(chosen)
            except ServiceError as error:
                raise failure(error.message) from None
        return await self._opened(None)

    async def _removed(self, chosen: str | None, file: str | None, request: gr.Request) -> Shown:
        if chosen is None or not file:
            raise failure("Choose the file to remove.")
        await self._acted(request, self._knowledge.collections.remove, chosen, file)
        await notify_errors(self._knowledge.update(chosen))
        return await self._shown(chosen)

    async def _searched(self, chosen: str | None, query: str) -> str:
        if chosen is None or not query.strip():
            return ""
        try:
            found = await self._knowledge.search(query, [chosen], limit=_FOUND)
        except ServiceError as error:
            raise failure(error.message) from None
        rows = [
            f"<li><strong>{_text(each.path)}{f', page {each.page}' if each.page else ''}</strong>"
            f"<p>{_text(each.text[:600])}</p></li>"
            for each in found
        ]
        return f"<ol>{''.join(rows)}</ol>" if rows else "<p>Nothing was found.</p>"

    async def _acted(self, request: gr.Request, act: Any = None, *arguments: object) -> None:  # noqa: ANN401 - of the library
        """Who may not change the program may not change its documents."""
        try:
            check_operator(self._page.settings, request.request.headers)
            if act is not None:
                await asyncio.to_thread(act, *arguments)
        except ServiceError as error:
            raise failure(error.message) from None


def state_html(state: CollectionState) -> str:
    """What the index has of a collection: a line on the whole, and a row for each file."""
    rows = "".join(
        f"<tr><td>{_text(file.path)}</td><td>{max(1, round(file.size / _KIB)):,} KiB</td>"
        f"<td>{_text(_of_file(known.problem, known.passages) if known and known.source == file else 'not read yet')}</td></tr>"
        for file, known in state.files[:_SHOWN_FILES]
    )
    more = len(state.files) - _SHOWN_FILES
    rest = f"<p>And {more} more files.</p>" if more > 0 else ""
    table = f"<table><thead><tr><th>File</th><th>Size</th><th>Index</th></tr></thead><tbody>{rows}</tbody></table>"
    return f'<p role="status">{_text(_of_index(state))}</p>{table if rows else ""}{rest}'


def _of_index(state: CollectionState) -> str:
    progress = state.progress
    if progress.is_running:
        return f"{'Computing vectors' if progress.embeds else 'Reading files'}: {progress.done} of {progress.total}"
    vectors = f", {state.vectors:,} with vectors of {state.model}" if state.model else ", searched by words only"
    said = f" {progress.message}" if progress.message else ""
    return f"{len(state.files):,} files, {state.passages:,} passages{vectors}.{said}"


def _of_file(problem: str, passages: int) -> str:
    return problem or f"{passages} passage{'' if passages == 1 else 's'}"


def _text(text: str) -> str:
    return html.escape(text)
