"""Pages of the settings for the user's files of one kind: presets, grammars, lorebooks."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import gradio as gr

from modules.errors import BadRequest, ServiceError
from modules.library.lorebooks.lorebooks import Lorebooks
from modules.ui.characters.book_table import MOST, rows_of, with_rows
from modules.ui.page.access import check_saves
from modules.ui.page.languages import text
from modules.ui.page.page import Page

_CONNECT: Final = "window.libraryFiles.manage(element, server, {kind!r}, () => trigger('submit'));"
_BROKEN: Final = "Invalid request. Reload the page and try again."

Answer: TypeAlias = dict[str, Any]


class TextFiles(Protocol):
    """What the library has for each kind of file; names and texts are checked there."""

    def names(self) -> list[str]: ...

    def source(self, name: str) -> str: ...

    def write(self, name: str, source: str) -> None: ...

    def rename(self, name: str, new_name: str) -> None: ...

    def delete(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class LibraryKind:
    """`name` says which of them, as `Page.on_files_change` is told; `renamed` is told of old and new names."""

    name: str
    files: TextFiles
    renamed: Callable[[str, str], None] | None = None


def build_presets(page: Page) -> None:
    """To be called within its tab."""

    def renamed(old: str, new: str) -> None:
        if page.settings.preset == old:
            page.saved_settings.remember({"preset": new})

    _FilesPage(page, LibraryKind("preset", page.runtime.library.presets, renamed)).build()


def build_grammars(page: Page) -> None:
    """To be called within its tab."""
    _FilesPage(page, LibraryKind("grammar", page.runtime.library.grammars)).build()


def build_lorebooks(page: Page) -> None:
    """To be called within its tab."""

    def renamed(old: str, new: str) -> None:
        chosen = page.settings.lorebooks
        if old in chosen:
            page.saved_settings.remember({"lorebooks": [new if each == old else each for each in chosen]})

    books = page.runtime.library.lorebooks
    _FilesPage(page, LibraryKind("lorebook", books, renamed), _BookForm(books)).build()


class _FilesPage:
    """Answers are plain values for the page's script. Nothing is overwritten by a file of another name."""

    def __init__(self, page: Page, kind: LibraryKind, form: "_BookForm | None" = None) -> None:
        self._page = page
        self._kind = kind
        self._files = kind.files
        self._form = form

    def build(self) -> None:
        # Gradio marks what may be called, which it cannot mark at methods; whatever is sent comes as one value.
        async def files(_: object = None) -> Answer:
            return await self._told(self._listed)

        async def read(sent: object) -> Answer:
            return await self._told(lambda: self._read(_word(sent)))

        async def save(sent: object) -> Answer:
            return await self._told(lambda: self._save(sent))

        async def remove(sent: object) -> Answer:
            return await self._told(lambda: self._remove(_word(sent)))

        shown = gr.HTML(
            "",
            html_template="",
            js_on_load=_CONNECT.format(kind=self._kind.name),
            server_functions=[files, read, save, remove],
            elem_id=f"{self._kind.name}-files",
            elem_classes="library-files",
            apply_default_css=False,
        )
        self._page.on_ready(lambda: self._connect(shown))

    def _connect(self, shown: gr.HTML) -> None:
        """Menus elsewhere have what there is now."""
        for fill, inputs, outputs in self._page.file_changes.get(self._kind.name, ()):
            shown.submit(fill, inputs, outputs, show_progress="hidden", api_visibility="private")

    async def _told(self, act: Callable[[], Answer]) -> Answer:
        try:
            return await asyncio.to_thread(act)
        except ServiceError as error:
            return {"error": text(error.message)}

    def _listed(self) -> Answer:
        return {"names": self._files.names(), "can_save": not self._page.settings.multi_user}

    def _read(self, name: str) -> Answer:
        more = {} if self._form is None else self._form.of(name)
        return {"text": self._files.source(name), **more}

    def _save(self, sent: object) -> Answer:
        """What `name` says from now on. Without `before` it is a new file, else the one of that name, renamed if it has
        another one now."""
        check_saves(self._page.settings)
        asked = sent if isinstance(sent, Mapping) else {}
        name, before = _word(asked.get("name")).strip(), _word(asked.get("before", ""))
        if not name:
            raise BadRequest(text("Give it a name."))
        if not before and name in self._files.names():
            raise BadRequest(text("There is one called {name} already. Choose another name.", name=name))
        self._write(before or name, asked)
        if before and before != name:
            self._files.rename(before, name)
            if self._kind.renamed is not None:
                self._kind.renamed(before, name)
        return self._listed()

    def _write(self, name: str, asked: Mapping[str, object]) -> None:
        rows = asked.get("rows")
        if self._form is not None and rows is not None:
            self._form.write(name, rows)
        else:
            self._files.write(name, _word(asked.get("text")))

    def _remove(self, name: str) -> Answer:
        """With the text, by which it can be written again."""
        check_saves(self._page.settings)
        source = self._files.source(name)
        self._files.delete(name)
        return {**self._listed(), "removed": source}


class _BookForm:
    """Entries of a lorebook as rows, for a form in place of the file's text."""

    def __init__(self, books: Lorebooks) -> None:
        self._books = books

    def of(self, name: str) -> Answer:
        book = self._books.read(name)
        return {"rows": rows_of(book), "more": max(0, len(book.entries) - MOST)}

    def write(self, name: str, rows: object) -> None:
        """What else the file says of its entries stays. Raises BadRequest."""
        if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == _CELLS for row in rows):
            raise BadRequest(_BROKEN)
        known = self._books.read(name) if name in self._books.names() else None
        book = with_rows(known, rows)
        if book is None:
            raise BadRequest(text("A lorebook needs an entry at least."))
        self._books.save(name, book)


_CELLS: Final = 7


def _word(sent: object) -> str:
    if not isinstance(sent, str):
        raise BadRequest(_BROKEN)
    return sent
