"""The notebooks of open tabs: which file, the undo steps, the running reply."""

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Final

from modules.errors import BadRequest
from modules.ui.notebook.text import NotebookText, UndoSteps
from modules.ui.notebook.writing import Writing
from modules.ui.page.page import Page

_BYTES: Final = 8
_GONE: Final = "The page has been open for too long. Reload it."
_STALE: Final = "Another notebook has been opened meanwhile. Try again."
_BUSY: Final = "The model is writing. Stop it first."


def _new_turn() -> str:
    return secrets.token_hex(_BYTES)


@dataclass(slots=True)
class OpenNotebook:
    """`name` is empty until there is something to store. `turn` changes with each notebook that the tab shows: text that
    left the browser before it showed this one belongs to another."""

    owner: str
    name: str = ""
    turn: str = field(default_factory=_new_turn)
    steps: UndoSteps = field(default_factory=UndoSteps)
    writing: Writing | None = None
    naming: asyncio.Lock = field(default_factory=asyncio.Lock)

    def show(self, name: str) -> None:
        """From now on the tab shows the notebook `name`, or one that is new."""
        self.name, self.steps, self.turn = name, UndoSteps(), _new_turn()

    def refuse_busy(self) -> None:
        """Raises BadRequest while a reply is being written."""
        if self.writing is not None:
            raise BadRequest(_BUSY)

    def refuse_stale(self, turn: object) -> None:
        """Raises BadRequest for text of the notebook that the tab showed before this one."""
        if turn != self.turn:
            raise BadRequest(_STALE)


class OpenNotebooks:
    """One notebook for each tab of a browser, by owner. Where visitors are kept apart, nothing is written to disk."""

    def __init__(self, page: Page) -> None:
        self._notebooks = page.runtime.library.notebooks
        self._keeps = not page.settings.multi_user
        self._remembered = page.saved_settings
        self._open: dict[str, OpenNotebook] = {}

    def begin(self) -> OpenNotebook:
        """For a tab that has just been opened."""
        owner = f"page:notebook:{secrets.token_hex(_BYTES)}"
        self._open[owner] = OpenNotebook(owner)
        return self._open[owner]

    def of(self, owner: str) -> OpenNotebook:
        """Raises BadRequest for a tab that was given up."""
        if owner not in self._open:
            raise BadRequest(_GONE)
        return self._open[owner]

    def forget(self, owner: str) -> None:
        """The tab was closed a while ago."""
        self._open.pop(owner, None)

    def note(self, name: str) -> None:
        """The notebook that the next visit begins with."""
        self._remembered.remember({"prompt_notebook": name})

    async def keep(self, notebook: OpenNotebook, sheet: NotebookText) -> bool:
        """Store the text, in a file that is new if it has none. Whether it is. Raises BadRequest."""
        if not self._keeps:
            return False
        async with notebook.naming:
            is_new = not notebook.name
            if is_new and not sheet.text.strip():
                return False
            if is_new:
                notebook.name = await asyncio.to_thread(self._notebooks.new)
                self.note(notebook.name)
            await asyncio.to_thread(self._notebooks.save, notebook.name, sheet.text)
        return is_new

    async def note_model(self, notebook: OpenNotebook, model: str) -> None:
        """The notebook was with `model` last."""
        if self._keeps and notebook.name and model:
            await asyncio.to_thread(self._notebooks.models.note, notebook.name, model)

    async def model_of(self, notebook: OpenNotebook) -> str:
        if not self._keeps or not notebook.name:
            return ""
        return await asyncio.to_thread(self._notebooks.models.of, notebook.name)
