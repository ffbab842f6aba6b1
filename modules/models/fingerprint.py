"""Digests of model files that take milliseconds, however large the files are."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_HEAD: Final = 1024 * 1024
_SAMPLES: Final = 128
_SAMPLE: Final = 4096


def fingerprint(path: Path) -> str:
    """SHA-256 over the size, the first MiB, which holds all of a GGUF file's header, and 128 blocks of 4 KiB evenly spread
    over the rest, up to the end; of a folder over the names and fingerprints of its files. Raises OSError.

    All of a file would take minutes to read. One that was changed between the blocks, to the same size, is not told
    apart; files of other weights are, since these differ everywhere.
    """
    made = hashlib.sha256()
    for file in _files(path):
        made.update(file.relative_to(path).as_posix().encode() if file != path else b"")
        _add(made, file)
    return made.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names))


def _add(made: "hashlib._Hash", path: Path) -> None:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        made.update(size.to_bytes(8, "little"))
        made.update(file.read(_HEAD))
        rest = size - _HEAD - _SAMPLE
        for number in range(_SAMPLES + 1 if rest > 0 else 0):
            file.seek(_HEAD + rest * number // _SAMPLES)
            made.update(file.read(_SAMPLE))


class Fingerprints:
    """Remembers them by path, size and time of the last change."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], str] = {}

    def of(self, path: Path) -> str:
        """Blocks; empty for a file that cannot be read."""
        try:
            state = path.stat()
            key = (str(path), state.st_size, state.st_mtime_ns)
            if key not in self._known:
                self._known[key] = fingerprint(path)
            return self._known[key]
        except OSError:
            return ""
