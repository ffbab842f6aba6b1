"""Folders of the user's files: which file a name means, and what files hold, parsed once per version."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, Generic, TypeAlias, TypeVar

from modules.errors import BadRequest
from modules.paths import inside
from modules.settings.options import did_you_mean

_Value = TypeVar("_Value")
_Stamp: TypeAlias = tuple[int, int, int]

# More files than most users have of one kind.
_KEPT: Final = 256
# Two writes within one tick of the file system's clock leave the same time; FAT's ticks are the longest.
_LONGEST_TICK_NS: Final = 2_000_000_000


class FileCache(Generic[_Value]):
    """Keeps what `parse` made of the last few files; safe to share between threads. What is kept must be immutable."""

    def __init__(self, parse: Callable[[Path], _Value]) -> None:
        self._parse = parse
        self._entries: dict[Path, tuple[_Stamp, _Value]] = {}
        self._lock = Lock()

    def read(self, path: Path) -> _Value:
        """Raises what `parse` raises, and OSError when there is no such file; failures are not kept."""
        stamp = _stamp(path)
        entry = self._entries.get(path)
        if entry is not None and entry[0] == stamp:
            return entry[1]
        value = self._parse(path)
        # A file that changed this very moment may change again without a new time, so it is not kept yet.
        if time.time_ns() - stamp[0] > _LONGEST_TICK_NS:
            self._keep(path, stamp, value)
        return value

    def _keep(self, path: Path, stamp: _Stamp, value: _Value) -> None:
        with self._lock:
            self._entries.pop(path, None)
            if len(self._entries) >= _KEPT:
                # The oldest entry: dictionaries keep the order of insertion.
                del self._entries[next(iter(self._entries))]
            self._entries[path] = (stamp, value)


def _stamp(path: Path) -> _Stamp:
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size, status.st_ino


# File systems end at 255 bytes; a suffix and letters of more than one byte need room.
_MAX_NAME: Final = 200
# An error is read by a person.
_SHOWN_NAMES: Final = 20


@dataclass(frozen=True, slots=True)
class Folder:
    """`kind` is what one file is called in messages. Of files that differ only in their suffix, the first of `suffixes`
    counts."""

    path: Path
    kind: str
    suffixes: tuple[str, ...]

    def names(self) -> list[str]:
        """What `find` finds, without suffixes, each once, in alphabetical order."""
        return sorted({name for name in self._stems() if self._is_usable(name)}, key=lambda name: (name.lower(), name))

    def find(self, name: str, *, param: str | None = None) -> Path | None:
        """The file that `name` means, with or without its suffix. Raises BadRequest for what is no plain name."""
        self._check(name, param)
        whole = [name] if name.lower().endswith(self.suffixes) else []
        for candidate in (*(name + suffix for suffix in self.suffixes), *whole):
            path = inside(self.path, candidate, param=param)
            if os.path.isfile(path):
                return path
        return None

    def existing(self, name: str, *, param: str | None = None) -> Path:
        """As `find`; raises BadRequest that says what there is when there is no such file."""
        path = self.find(name, param=param)
        if path is None:
            names = self.names()
            raise BadRequest(
                f"There is no {self.kind} named {name!a}{did_you_mean(name, names) or '.'} {self._choice(names)}",
                param=param,
            )
        return path

    def new(self, name: str, suffix: str, *, param: str | None = None) -> Path:
        """The file to write for `name`, existing or not. Raises BadRequest for what is no plain name."""
        self._check(name, param)
        return inside(self.path, name + suffix, param=param)

    def unused_name(self, name: str) -> str:
        """`name`, or with _001, _002 … appended where that is taken."""
        taken = {each.lower() for each in self.names()}
        candidates = (name if number == 0 else f"{name}_{number:03}" for number in range(len(taken) + 1))
        return next(candidate for candidate in candidates if candidate.lower() not in taken)

    def delete(self, name: str, *also: str, param: str | None = None) -> None:
        """Remove every file of that name, with the suffixes `also` too. Raises BadRequest when there is none."""
        stem = self._stem(self.existing(name, param=param).name)
        for suffix in (*self.suffixes, *also):
            inside(self.path, stem + suffix, param=param).unlink(missing_ok=True)

    def rename(self, name: str, new_name: str, *, param: str | None = None) -> None:
        """Raises BadRequest when there is none of the name, or one of the new name already."""
        path = self.existing(name, param=param)
        if self.find(new_name, param=param) is not None:
            raise BadRequest(f"There is a {self.kind} named {new_name!a} already. Choose another name.", param=param)
        os.rename(path, self.new(new_name, path.suffix, param=param))

    def _stem(self, file_name: str) -> str:
        return next(file_name[: -len(suffix)] for suffix in self.suffixes if file_name.lower().endswith(suffix))

    def _stems(self) -> Iterator[str]:
        try:
            entries = os.listdir(self.path)
        except FileNotFoundError:
            return
        for entry in entries:
            suffix = next((suffix for suffix in self.suffixes if entry.endswith(suffix)), None)
            if suffix:
                yield entry.removesuffix(suffix)

    def _is_usable(self, name: str) -> bool:
        try:
            return self.find(name) is not None
        except BadRequest:
            return False

    def _check(self, name: str, param: str | None) -> None:
        inside(self.path, name, param=param)
        if len(name) > _MAX_NAME:
            raise BadRequest(f"The name of a {self.kind} may have {_MAX_NAME} characters at most.", param=param)

    def _choice(self, names: list[str]) -> str:
        if not names:
            return f"There is none in the folder {self.path.name}."
        more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
        return f"There are: {', '.join(names[:_SHOWN_NAMES])}{more}."


@contextmanager
def blaming(param: str) -> Iterator[None]:
    """Names `param` in whatever is wrong with a file that a request chose."""
    try:
        yield
    except BadRequest as error:
        raise BadRequest(error.message, param=param) from error
    except FileNotFoundError as error:
        raise BadRequest("The file was removed while it was about to be read.", param=param) from error
