"""Collections of the user's documents: folders below `knowledge/`, and the files in them."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from modules.errors import BadRequest
from modules.paths import atomic_write, inside, inside_tree
from modules.settings.options import did_you_mean

# What readers of attachments take as well.
MAX_FILE_BYTES: Final = 32 * 2**20
_MAX_FILES: Final = 20_000
_MAX_SHOWN: Final = 20
_DOCUMENTS: Final = (".pdf", ".docx", ".html", ".htm", ".xhtml")
_TEXTS: Final = (
    *(".txt", ".md", ".markdown", ".rst", ".org", ".tex", ".adoc", ".log", ".srt", ".vtt"),
    *(".csv", ".tsv", ".json", ".jsonl", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".xml"),
    *(".py", ".pyi", ".js", ".mjs", ".jsx", ".ts", ".tsx", ".css", ".scss", ".vue", ".svelte"),
    *(".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".java", ".kt", ".go", ".rs", ".swift", ".zig"),
    *(".rb", ".php", ".pl", ".lua", ".r", ".jl", ".scala", ".hs", ".ml", ".ex", ".erl", ".clj"),
    *(".sh", ".bash", ".zsh", ".ps1", ".bat", ".sql", ".proto", ".gradle", ".cmake", ".nix"),
)
SUFFIXES: Final = (*_DOCUMENTS, *_TEXTS)
_PARAM: Final = "knowledge"


@dataclass(frozen=True, slots=True, order=True)
class SourceFile:
    """`path` is relative to the collection, with forward slashes; `changed` is in nanoseconds since 1970."""

    path: str
    size: int
    changed: int


class Collections:
    """Everything blocks for as long as the disk takes. Names are plain names of folders; methods that take one raise
    BadRequest, which says what there is, for one that is not there."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> list[str]:
        try:
            entries = sorted(os.scandir(self._root), key=lambda entry: entry.name.lower())
        except FileNotFoundError:
            return []
        return [entry.name for entry in entries if entry.is_dir() and self._is_usable(entry.name)]

    def folder(self, name: str) -> Path:
        path = inside(self._root, name, param=_PARAM)
        if not path.is_dir():
            names = self.names()
            there = f"There are: {', '.join(names[:_MAX_SHOWN])}." if names else "There is none yet."
            raise BadRequest(
                f"There is no knowledge collection named {name[:80]!a}{did_you_mean(name, names) or '.'} {there}",
                param=_PARAM,
            )
        return path

    def files(self, name: str) -> list[SourceFile]:
        """Those of a kind that can be read, by path. Hidden ones and links that lead out of the collection are left
        out."""
        found = list(_files(self.folder(name)))
        if len(found) > _MAX_FILES:
            raise BadRequest(f"The collection {name} has more than {_MAX_FILES} files; divide it.", param=_PARAM)
        return sorted(found)

    def file(self, name: str, path: str) -> Path:
        """Of the collection. Raises BadRequest where there is none."""
        found = inside_tree(self.folder(name), path, param="file")
        if not found.is_file():
            raise BadRequest(f"The collection {name} has no file {path[:200]!a} any more.", param="file")
        return found

    def create(self, name: str) -> None:
        """Raises BadRequest for a name that is taken or cannot be one."""
        if any(each.isspace() or each == "#" for each in name):
            raise BadRequest("The name of a collection has no spaces, for chats name it as #name.", param="name")
        path = inside(self._root, name, param="name")
        if path.exists():
            raise BadRequest(f"There is a collection named {name} already.", param="name")
        path.mkdir(parents=True)

    def delete(self, name: str) -> None:
        """With all of its files."""
        shutil.rmtree(self.folder(name))

    def add(self, name: str, file_name: str, content: bytes) -> None:
        """In place of a file of that name. Raises BadRequest for what cannot be read."""
        if not file_name.lower().endswith(SUFFIXES):
            raise BadRequest(
                f"{file_name[:80]!a} is of no kind that can be read; there can be texts, PDF, DOCX and HTML documents.",
                param="file",
            )
        if len(content) > MAX_FILE_BYTES:
            raise BadRequest(f"{file_name[:80]!a} is larger than {MAX_FILE_BYTES // 2**20} MiB.", param="file")
        atomic_write(inside(self.folder(name), file_name, param="file"), content)

    def remove(self, name: str, path: str) -> None:
        self.file(name, path).unlink()

    def _is_usable(self, name: str) -> bool:
        try:
            return inside(self._root, name).is_dir()
        except BadRequest:
            return False


def _files(folder: Path) -> Iterator[SourceFile]:
    whole = os.path.realpath(folder)
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in names:
            path = Path(place, name)
            if name.startswith(".") or not name.lower().endswith(SUFFIXES):
                continue
            if not Path(os.path.realpath(path)).is_relative_to(whole) or not path.is_file():
                continue
            status = path.stat()
            relative = PurePosixPath(path.relative_to(folder).as_posix())
            yield SourceFile(str(relative), status.st_size, status.st_mtime_ns)
