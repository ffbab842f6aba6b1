"""Settings, Memory: the files that tell models about their user, to be read and edited."""

import asyncio
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.errors import ServiceError
from modules.ui.page.access import check_operator
from modules.ui.page.menus import name_menu
from modules.ui.page.page import Page, failure
from modules.ui.shell.internals import current_tab

Shown = dict[Component, Any]

_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}
_FIRST: Final = "notes"
_INFO: Final = (
    "Changes count in chats that begin from now on: in a running chat they would make the model read all of it anew."
)


def build_memory(page: Page) -> None:
    """To be called within its tab."""
    _MemoryPage(page).connect()


class _MemoryPage:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._memory = page.runtime.library.memory
        self._tab = current_tab()
        use = gr.Checkbox(page.settings.use_memory, label="Use the memory in new chats", elem_id="use-memory")
        page.inputs.add("use_memory", use)
        self._use = use
        self._name = name_menu([], label="File", allow_custom_value=True, elem_id="memory-file")
        self._text = gr.Textbox(label="Content", info=_INFO, lines=12, elem_id="memory-text")
        with gr.Row(elem_classes="tight"):
            self._save = gr.Button("Save", size="sm", variant="primary", elem_id="memory-save")
            self._delete = gr.Button("Delete file", size="sm", variant="stop", elem_id="memory-delete")

    def connect(self) -> None:
        outputs = [self._name, self._text]
        self._tab.select(self._opened, [self._name], outputs, **_QUIET)
        self._name.input(self._chosen, [self._name], [self._text], trigger_mode="always_last", **_QUIET)
        self._save.click(self._saved, [self._name, self._text], outputs, **_QUIET)
        self._delete.click(self._deleted, [self._name], outputs, **_QUIET)
        self._use.input(self._switched, [self._use], None, **_QUIET)

    async def _opened(self, name: str | None, request: gr.Request) -> Any:  # noqa: ANN401 - what Gradio takes for nothing
        """Only once: what is being written stays."""
        if name:
            return gr.skip()
        names = await self._names(request)
        first = next(iter(names), _FIRST)
        return {self._name: gr.Dropdown(choices=names, value=first), self._text: await self._read(first, names)}

    async def _chosen(self, name: str | None, request: gr.Request) -> str:
        return await self._read(name or _FIRST, await self._names(request))

    async def _saved(self, name: str | None, text: str, request: gr.Request) -> Shown:
        await self._acted(request, self._memory.write, name or _FIRST, text)
        gr.Info("Saved.")
        return {self._name: gr.Dropdown(choices=await self._names(request), value=name or _FIRST)}

    async def _deleted(self, name: str | None, request: gr.Request) -> Shown:
        await self._acted(request, self._memory.delete, name or "")
        names = await self._names(request)
        first = next(iter(names), _FIRST)
        return {self._name: gr.Dropdown(choices=names, value=first), self._text: await self._read(first, names)}

    async def _switched(self, is_on: object) -> None:
        self._page.saved_settings.remember({"use_memory": is_on is True})

    async def _names(self, request: gr.Request) -> list[str]:
        """What is in the memory is for its owner alone."""
        try:
            check_operator(self._page.settings, request.request.headers)
        except ServiceError:
            return []
        return await asyncio.to_thread(self._memory.names)

    async def _read(self, name: str, names: list[str]) -> str:
        if name not in names:
            return ""
        try:
            return await asyncio.to_thread(self._memory.read, name)
        except ServiceError as error:
            raise failure(error.message) from None

    async def _acted(self, request: gr.Request, act: Any, *arguments: object) -> None:  # noqa: ANN401 - of the library
        try:
            check_operator(self._page.settings, request.request.headers)
            await asyncio.to_thread(act, *arguments)
        except ServiceError as error:
            raise failure(error.message) from None
