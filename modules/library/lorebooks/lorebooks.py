"""The user's lorebooks that belong to no character: files in `lorebooks/`."""

from pathlib import Path
from typing import Final

from modules.library.folder import FileCache, Folder, blaming
from modules.library.lorebooks.book import Lorebook
from modules.library.lorebooks.formats import book_file, read_book
from modules.library.text_files import as_mapping, decoded, parse_json, read_text
from modules.paths import UserData, atomic_write

# Books of whole worlds have some megabytes.
MAX_BOOK_BYTES: Final = 16 * 2**20


class Lorebooks:
    """As SillyTavern or the third version of character cards writes them; the name of a book is its file's name."""

    def __init__(self, data: UserData) -> None:
        self._folder = Folder(data.lorebooks, "lorebook", (".json",))
        self._cache = FileCache(_read)

    def names(self) -> list[str]:
        return self._folder.names()

    def read(self, name: str, *, param: str = "lorebooks") -> Lorebook:
        """Raises BadRequest, naming `param`."""
        with blaming(param):
            return self._cache.read(self._folder.existing(name, param=param))

    def save(self, name: str, book: Lorebook, *, param: str = "lorebooks") -> None:
        """Raises BadRequest for what is no plain name."""
        path = self._folder.find(name, param=param) or self._folder.new(name, ".json", param=param)
        atomic_write(path, book_file(book))

    def source(self, name: str) -> str:
        """The file as it is. Raises BadRequest."""
        with blaming("lorebooks"):
            return read_text(self._folder.existing(name, param="lorebooks"), limit=MAX_BOOK_BYTES)

    def write(self, name: str, source: str) -> None:
        """Raises BadRequest for what is no lorebook."""
        self.save(name, parse_book(source.encode("utf-8", "surrogatepass"), name))

    def rename(self, name: str, new_name: str) -> None:
        """Raises BadRequest."""
        self._folder.rename(name, new_name, param="lorebooks")

    def delete(self, name: str, *, param: str = "lorebooks") -> None:
        """Raises BadRequest when there is none of that name."""
        self._folder.delete(name, param=param)

    def unused_name(self, name: str) -> str:
        return self._folder.unused_name(name)


def parse_book(content: bytes, file_name: str) -> Lorebook:
    """Raises BadRequest for what is no lorebook."""
    return read_book(as_mapping(parse_json(decoded(content, file_name), file_name), file_name), file_name)


def _read(path: Path) -> Lorebook:
    text = read_text(path, limit=MAX_BOOK_BYTES)
    return read_book(as_mapping(parse_json(text, path.name), path.name), path.name)
