"""Which loader reads which file. A backend's libraries are imported only when its loader is asked for."""

from pathlib import Path
from typing import Final

from modules.backends.llamacpp.gguf_header import kind_of_gguf
from modules.engine.protocols import Loader
from modules.engine.types import ModelKind
from modules.errors import LoadFailed

LLAMA_CPP: Final = "llama.cpp"
SCRIPTED: Final = "scripted"
LOADERS: Final = (LLAMA_CPP, SCRIPTED)


def loader_for(name: str) -> Loader:
    """Raises LoadFailed for a loader that does not exist here, or whose package is missing or broken."""
    try:
        return _imported(name)
    except (ImportError, OSError, RuntimeError) as error:
        raise LoadFailed(
            f"The {name} loader cannot be used: {error}. Run `python3 one_click.py doctor` to see what is missing."
        ) from error


def detect_loader(path: Path) -> str:
    """The loader for a model file or folder. Raises LoadFailed when none reads it."""
    if path.suffix.lower() == ".gguf":
        return LLAMA_CPP
    raise LoadFailed(f"No loader can read {path.name}. This version reads GGUF files.")


def kind_of(path: Path, loader: str) -> ModelKind:
    """What the model at `path` is for, as far as its file says so."""
    return kind_of_gguf(path) if loader == LLAMA_CPP and path.is_file() else ModelKind.CHAT


def _imported(name: str) -> Loader:
    if name == LLAMA_CPP:
        from modules.backends.llamacpp.loader import LlamaCppLoader  # noqa: PLC0415

        return LlamaCppLoader()
    if name == SCRIPTED:
        from modules.backends.scripted import ScriptedLoader  # noqa: PLC0415

        return ScriptedLoader()
    raise LoadFailed(f"There is no loader named {name!r}. Choose one of: {', '.join(LOADERS)}.")
