"""The user's plain text files: notebooks, and grammars in GBNF, llama.cpp's notation."""

from itertools import count
from pathlib import Path
from typing import Final

from modules.engine.constraints.failures import Unenforceable
from modules.engine.constraints.gbnf import gbnf_to_lark
from modules.errors import BadRequest
from modules.library.folder import FileCache, Folder, blaming
from modules.library.model_memory import ModelMemory
from modules.library.text_files import read_text
from modules.paths import UserData, atomic_write

_TEXT: Final = ".txt"
_UNTITLED: Final = "Untitled"
_OPENING: Final = "It was late when she found the door in the cellar. Behind it"
# The page sends a notebook as one value, and a browser's text field grows slow long before that.
_MAX_BYTES: Final = 2**25


class Notebooks:
    """Files in `logs/notebook/`, one for each; `models` says which model went on with each last. Blocks for as long as the
    disk takes."""

    def __init__(self, data: UserData) -> None:
        self._folder = Folder(data.notebook_logs, "notebook", (_TEXT,))
        self.models = ModelMemory(data.notebook_logs)

    def names(self) -> list[str]:
        return self._folder.names()

    def read(self, name: str, *, param: str = "notebook") -> str:
        """Raises BadRequest, naming `param`, as all of these do."""
        with blaming(param):
            return read_text(self._folder.existing(name, param=param), limit=_MAX_BYTES)

    def save(self, name: str, text: str, *, param: str = "notebook") -> None:
        """Write the whole text, be it to a new notebook or to one there is."""
        content = text.encode("utf-8", "replace")
        if len(content) > _MAX_BYTES:
            raise BadRequest(f"A notebook may have {_MAX_BYTES // 2**20} MiB at most.", param=param)
        atomic_write(self._folder.find(name, param=param) or self._folder.new(name, _TEXT, param=param), content)

    def new(self) -> str:
        """A notebook with the beginning of a story, named Untitled, Untitled 2 and so on."""
        taken = {each.lower() for each in self.names()}
        names = (_UNTITLED if number == 1 else f"{_UNTITLED} {number}" for number in count(1))
        name = next(each for each in names if each.lower() not in taken)
        self.save(name, _OPENING)
        return name

    def rename(self, name: str, new_name: str, *, param: str = "notebook") -> str:
        """Returns the new name. What is there under that name already is not written over."""
        new_name = new_name.strip()
        old = self._folder.existing(name, param=param)
        new = self._folder.new(new_name, _TEXT, param="name")
        if new.exists() and not new.samefile(old):
            raise BadRequest(f"There is a notebook named {new_name!a} already. Choose another name.", param="name")
        old.rename(new)
        self.models.rename(name, new_name)
        return new_name

    def delete(self, name: str, *, param: str = "notebook") -> None:
        self._folder.delete(name, param=param)
        self.models.forget(name)


_GBNF: Final = ".gbnf"


class Grammars:
    """Files in `grammars/`."""

    def __init__(self, data: UserData) -> None:
        self._folder = Folder(data.grammars, "grammar", (_GBNF,))
        self._cache = FileCache[str](_read)

    def names(self) -> list[str]:
        return self._folder.names()

    def read(self, name: str, *, param: str = "grammar") -> str:
        """The grammar's source. Raises BadRequest, naming `param`."""
        with blaming(param):
            return self._cache.read(self._folder.existing(name, param=param))

    def save(self, name: str, source: str, *, param: str = "grammar") -> None:
        """Write the source, be it to a new grammar or to one there is. Raises BadRequest."""
        path = self._folder.find(name, param=param) or self._folder.new(name, _GBNF, param=param)
        atomic_write(path, source)

    def source(self, name: str) -> str:
        """As `read`."""
        return self.read(name)

    def write(self, name: str, source: str) -> None:
        """As `save`. Raises BadRequest, naming the line, for what is no GBNF."""
        try:
            gbnf_to_lark(source)
        except Unenforceable as error:
            raise BadRequest(str(error)) from None
        self.save(name, source)

    def rename(self, name: str, new_name: str) -> None:
        """Raises BadRequest."""
        self._folder.rename(name, new_name, param="grammar")

    def delete(self, name: str, *, param: str = "grammar") -> None:
        """Raises BadRequest when there is none of that name."""
        self._folder.delete(name, param=param)


def _read(path: Path) -> str:
    return read_text(path)
