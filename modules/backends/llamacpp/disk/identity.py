"""What a state of a sequence depends on beside its tokens: states of other identities are never taken."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import llama_cpp
from llama_cpp import llama_cpp as c

from modules.backends.adapters import AdapterGroup
from modules.backends.llamacpp.layout import ContextLayout
from modules.backends.llamacpp.options import LlamaCppOptions, vector_parts
from modules.engine.types import LoadSpec

_BEGINNING: Final = 2**20
_SAMPLE: Final = 2**12
_SAMPLES: Final = 64


def model_identity(spec: LoadSpec, options: LlamaCppOptions, layout: ContextLayout) -> bytes:
    """Of the model's files, the library's build and the options that decide what the cells hold. Raises OSError."""
    parts = [
        _library(),
        *(fingerprint(path) for path in _parts_of(Path(spec.path))),
        options.cache_type.encode(),
        str((layout.flash_attention, options.swa_full, layout.is_long, options.control_vector_layers)).encode(),
    ]
    if options.cache_reuse:
        # What was moved is not what would be computed.
        parts.append(b"moved cells")
    for item in options.control_vector:
        path, scale = vector_parts(item)
        parts += [fingerprint(Path(path)), str(scale).encode()]
    return _digest(parts)


def group_identity(group: AdapterGroup) -> bytes:
    """Of the adapters that are applied. Raises OSError."""
    return _digest(part for path, scale in group for part in (fingerprint(Path(path)), str(scale).encode()))


def fingerprint(path: Path) -> bytes:
    """Of a file of any size, in milliseconds: its length, when it was changed, its beginning and end, and samples between.

    A file that is replaced or written to has another time; one that is copied with its time and differs has another
    header, since the tensors of a GGUF file are listed there, or other samples.
    """
    found = path.stat()
    digest = hashlib.sha256(f"{found.st_size} {found.st_mtime_ns}".encode())
    with path.open("rb") as file:
        digest.update(file.read(_BEGINNING))
        for number in range(1, _SAMPLES + 1):
            file.seek(max(0, found.st_size * number // _SAMPLES - _SAMPLE))
            digest.update(file.read(_SAMPLE))
    return digest.digest()


def _parts_of(path: Path) -> list[Path]:
    """All parts of a split file."""
    start, is_split, _ = path.name.partition("-00001-of-")
    return sorted(path.parent.glob(f"{_literal(start)}-?????-of-*.gguf")) if is_split else [path]


def _literal(name: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _library() -> bytes:
    folder = Path(llama_cpp.__file__).parent / "lib"
    files = sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in folder.iterdir())
    return f"{llama_cpp.__version__} {c.llama_print_system_info()!r} {files}".encode()


def _digest(parts: Iterable[bytes]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.digest()
