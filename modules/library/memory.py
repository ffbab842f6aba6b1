"""Notes on the user that models are told in new chats: files of Markdown, to be read and edited."""

import re
from typing import Final

from modules.errors import BadRequest
from modules.library.folder import Folder
from modules.library.text_files import read_text
from modules.paths import UserData, atomic_write

# About four thousand tokens: they are part of every prompt.
MAX_MEMORY: Final = 16_000
_MAX_NOTE: Final = 1_000
_NOTES: Final = "notes"
_LINE: Final = re.compile(r"\s+")


class Memory:
    """The files of `memory/`, in alphabetical order. Blocks for as long as the disk takes."""

    def __init__(self, data: UserData) -> None:
        self._folder = Folder(data.memory, "memory file", (".md",))

    def names(self) -> list[str]:
        return self._folder.names()

    def read(self, name: str) -> str:
        """Raises BadRequest where there is none, or it is no text."""
        return read_text(self._folder.existing(name, param="memory"))

    def write(self, name: str, text: str) -> None:
        atomic_write(self._folder.new(name, ".md", param="memory"), text)

    def delete(self, name: str) -> None:
        self._folder.delete(name, param="memory")

    def text(self) -> str:
        """All of them as a prompt has them; what is too long is cut. A file that cannot be read is left out."""
        texts = []
        for name in self.names():
            try:
                texts.append(self.read(name).strip())
            except (BadRequest, FileNotFoundError):
                continue
        return "\n\n".join(filter(None, texts))[:MAX_MEMORY]

    def remember(self, note: str) -> None:
        """Add a line to the notes. Raises BadRequest for what is empty or too long, and where the memory is full."""
        line = _LINE.sub(" ", note).strip()
        if not line or len(line) > _MAX_NOTE:
            raise BadRequest(f"A note has 1 to {_MAX_NOTE} characters.", param="note")
        before = self._notes()
        if len(before) + len(line) > MAX_MEMORY:
            raise BadRequest("The memory is full; forget something first.", param="note")
        if f"- {line}" not in before.splitlines():
            self.write(_NOTES, f"{before.rstrip()}\n- {line}\n".lstrip())

    def forget(self, words: str) -> list[str]:
        """Take the lines of the notes that hold `words` out, and say which. Raises BadRequest where there is none."""
        wanted = _LINE.sub(" ", words).strip().lower()
        lines = self._notes().splitlines()
        gone = [line for line in lines if wanted and wanted in line.lower()]
        if not gone:
            raise BadRequest("No note in the memory has these words.", param="note")
        self.write(_NOTES, "".join(f"{line}\n" for line in lines if line not in gone))
        return [line.removeprefix("- ") for line in gone]

    def _notes(self) -> str:
        return self.read(_NOTES) if _NOTES in self.names() else ""
