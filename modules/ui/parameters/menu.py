"""A menu of the user's files of one kind: choose, save, save as, delete after a second click."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import gradio as gr
from gradio.components import Component

from modules.errors import BadRequest
from modules.ui.page.languages import text
from modules.ui.page.menus import name_menu
from modules.ui.page.page import Page, notify_errors

Shown = dict[Component, Any]
Entered = Mapping[Component, Any]
Fill = Callable[[str], Awaitable[Shown]]
Save = Callable[[str, Entered], Awaitable[None]]

QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}
# What the page's script asks, for each kind of file.
_SAVE_AS: Final = {
    "preset": "Save preset as",
    "grammar": "Save grammar as",
    "instruction template": "Save instruction template as",
}
_SHARED: Final = "With --multi-user the page changes no files."


class NamedFiles(Protocol):
    """What the library has for each kind of file; names out of requests are checked there."""

    def names(self) -> list[str]: ...

    def delete(self, name: str, *, param: str = ...) -> None: ...


class FileMenu:
    """To be made where its components shall stand. `fill` reads a file into components, `save` writes one from what has
    been entered; both raise ServiceError. `fixed` are choices that are no files."""

    def __init__(  # noqa: PLR0913 - what is optional is named by its caller
        self,
        page: Page,
        files: NamedFiles,
        kind: str,
        fill: Fill,
        save: Save,
        *,
        chosen: str = "",
        fixed: Sequence[str] = (),
    ) -> None:
        self._page = page
        self._files = files
        self._kind = kind
        self._fill = fill
        self._write = save
        self._fixed = tuple(fixed)
        name = kind.replace(" ", "-")
        names = [*fixed, *files.names()]
        self.menu = name_menu(
            names, value=chosen if chosen in names else None, label=kind.capitalize(), elem_id=f"{name}-menu"
        )
        # What the page's script has asked for.
        self.name = gr.Textbox("", visible="hidden", elem_id=f"{name}-name")
        with gr.Row(elem_classes="tight") as self.buttons:
            self._save = gr.Button("Save", size="sm", elem_id=f"save-{name}")
            self._save_as = gr.Button("Save as…", size="sm", elem_id=f"save-{name}-as")
            self._delete = gr.Button("Delete", size="sm", elem_classes="quiet-button", elem_id=f"delete-{name}")
            self._confirm = gr.Button(
                "Delete permanently", size="sm", variant="stop", visible=False, elem_id=f"confirm-delete-{name}"
            )

        page.on_files_change(kind, self.listed, [self.menu, self._confirm], [self.menu])

    @property
    def components(self) -> list[Component]:
        return [self.menu, self.name, self._confirm]

    def connect(self, filled: list[Component], entered: set[Component]) -> None:
        """`filled` are the components that `fill` fills, `entered` those that `save` reads."""
        self.menu.input(self.choose, [self.menu], [*self.components, *filled], trigger_mode="always_last", **QUIET)
        for button, asks in ((self._save, False), (self._save_as, True)):
            # Without a file to save to, or for another one, the page's script asks for a name.
            named = button.click(None, [self.menu], [self.name], js=self._asks_name(always=asks), **QUIET)
            named.success(self.keep, {self.menu, self.name, *entered}, self.components, **QUIET)
        self._delete.click(self.ask, [self.menu], [self._confirm], **QUIET)
        self._confirm.click(self.delete, [self.menu], self.components, **QUIET)

    def _asks_name(self, *, always: bool) -> str:
        words = json.dumps([_SAVE_AS[self._kind], always, self._fixed])
        return f"(chosen) => window.nameFile(chosen, ...{words})"

    async def listed(self, chosen: str | None) -> Shown:
        """The menu with the files that there are now, on which `chosen` is marked."""
        names = [*self._fixed, *await asyncio.to_thread(self._files.names)]
        return {
            self.menu: gr.Dropdown(choices=names, value=chosen if chosen in names else None),
            self._confirm: gr.Button(visible=False),
        }

    async def choose(self, name: str | None) -> Shown:
        return await notify_errors(self._chosen(name))

    async def keep(self, entered: Entered) -> Shown:
        return await notify_errors(self._kept(entered))

    async def ask(self, name: str | None) -> Shown:
        return {
            self._confirm: gr.Button(text("Delete {name} permanently", name=name), visible=bool(self.file_name(name)))
        }

    def file_name(self, chosen: str | None) -> str:
        """Under which what was chosen is saved; empty where it is no file."""
        return "" if chosen is None or chosen in self._fixed else chosen

    async def delete(self, name: str | None) -> Shown:
        return await notify_errors(self._deleted(name or ""))

    def refuse_shared(self) -> None:
        """Raises BadRequest where the page has visitors who do not know each other."""
        if self._page.settings.multi_user:
            raise BadRequest(_SHARED)

    async def _chosen(self, name: str | None) -> Shown:
        shown = await self._fill(name) if name else {}
        return {self._confirm: gr.Button(visible=False), **shown}

    async def _kept(self, entered: Entered) -> Shown:
        self.refuse_shared()
        name = str(entered[self.name] or "").strip()
        if not name:
            raise BadRequest(f"Give the {self._kind} a name to save it under.")
        if name in self._fixed:
            raise BadRequest(f"{name} is not a file. Give the {self._kind} another name.")
        if name != entered.get(self.menu) and name in await asyncio.to_thread(self._files.names):
            raise BadRequest(text("There is one called {name} already. Choose another name.", name=name))
        await self._write(name, entered)
        gr.Info(text("Saved the {kind} {name}.", kind=text(self._kind.capitalize()), name=name))
        return {**await self.listed(name), self.name: ""}

    async def _deleted(self, name: str) -> Shown:
        self.refuse_shared()
        await asyncio.to_thread(self._files.delete, name)
        return {**await self.listed(None), self.name: ""}
