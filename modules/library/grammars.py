"""The user's grammars in GBNF, llama.cpp's notation."""

from pathlib import Path
from typing import Final

from modules.library.file_cache import FileCache
from modules.library.folder import Folder, blaming
from modules.library.text_files import read_text
from modules.paths import UserData, atomic_write

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

    def delete(self, name: str, *, param: str = "grammar") -> None:
        """Raises BadRequest when there is none of that name."""
        self._folder.delete(name, param=param)


def _read(path: Path) -> str:
    return read_text(path)
