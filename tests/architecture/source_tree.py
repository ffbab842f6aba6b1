"""The program's source files as syntax trees, and the table of layers that their imports are measured against."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

# Lowest first; docs/ARCHITECTURE.md shows the same table. A name that ends in / is a folder.
LAYERS: Final[tuple[tuple[str, ...], ...]] = (
    (
        "modules/addresses.py",
        "modules/errors.py",
        "modules/settings/options.py",
        "modules/settings/option_values.py",
        "modules/paths.py",
        "modules/logs.py",
        "modules/messages.py",
        "modules/events.py",
        "modules/sampling.py",
        "modules/requests.py",
        "modules/stopping.py",
        "modules/engine/types.py",
        "modules/library/text_files.py",
    ),
    ("modules/process/",),
    ("modules/engine/", "modules/media/pictures/"),
    ("modules/backends/",),
    ("modules/settings/",),
    ("modules/library/", "modules/text/"),
    ("modules/prompt/", "modules/reply/", "modules/hooks.py"),
    ("modules/models/",),
    ("modules/chatmodels/",),
    ("modules/chat/", "modules/media/"),
    ("modules/knowledge/",),
    ("modules/runtime.py",),
    ("modules/extend/", "modules/serving/", "modules/benchmark.py"),
    ("modules/ui/", "extensions/*/"),
    ("server.py",),
)

# Each heavy library lives behind one door.
ROOMS: Final = {
    "llama_cpp": ("modules/backends/llamacpp/",),
    "onnxruntime": ("modules/backends/onnx/",),
    "tokenizers": ("modules/backends/encoders/", "modules/backends/hub/"),
    "torch": (
        "modules/backends/transformers/",
        "modules/backends/exllamav3/",
        "modules/backends/sentence_transformers/",
        "modules/backends/diffusers/",
    ),
    "transformers": ("modules/backends/transformers/", "modules/backends/diffusers/"),
    "exllamav3": ("modules/backends/exllamav3/",),
    "cyllama": ("modules/backends/stable_diffusion_cpp/",),
    "diffusers": ("modules/backends/diffusers/",),
    "sentence_transformers": ("modules/backends/sentence_transformers/",),
    "faster_whisper": ("modules/backends/fasterwhisper/",),
    "ctranslate2": ("modules/backends/fasterwhisper/",),
    "av": ("modules/media/", "modules/backends/onnx/speech/"),
    "espeakng_loader": ("modules/backends/onnx/speech/",),
    "gradio": ("modules/ui/", "extensions/*/"),
    "fastapi": ("extensions/openai/", "modules/ui/"),
    "starlette": ("extensions/openai/", "modules/ui/", "modules/serving/"),
    "uvicorn": ("modules/serving/",),
    "mcp": ("modules/chat/",),
    "huggingface_hub": ("modules/models/",),
    "playwright": (),
}


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its path below the root with forward slashes, and what is in it."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a file stands: its layer, and the folder or file that it is one with."""

    layer: int
    unit: str


def program_sources(root: Path = ROOT) -> list[Source]:
    """The program without its installer, its tests and its benchmarks."""
    paths = [*root.glob("modules/**/*.py"), *root.glob("extensions/**/*.py"), root / "server.py"]
    return [Source(path.relative_to(root).as_posix(), path.read_text("utf-8")) for path in paths if path.is_file()]


def all_sources(root: Path = ROOT) -> list[Source]:
    more = [
        *root.glob("installer/**/*.py"),
        *root.glob("tests/**/*.py"),
        *root.glob("bench/**/*.py"),
        root / "one_click.py",
    ]
    extra = [Source(path.relative_to(root).as_posix(), path.read_text("utf-8")) for path in more if path.is_file()]
    return [*program_sources(root), *extra]


def place_of(path: str) -> Place | None:
    """None for a file that the table does not know. The plain values of layer 0 count as one folder."""
    for layer, patterns in enumerate(LAYERS):
        for pattern in patterns:
            if not pattern.endswith("/") and fnmatch(path, pattern):
                return Place(layer, "plain values" if layer == 0 else pattern)
            if pattern.endswith("/") and (folder := _folder_of(path, pattern)):
                return Place(layer, "plain values" if layer == 0 else folder)
    return None


def is_in(path: str, folders: Sequence[str]) -> bool:
    return any(_folder_of(path, folder) for folder in folders)


@cache
def imports_of(source: Source) -> tuple[tuple[int, str], ...]:
    """Line and dotted name of every import, wherever in the file it stands."""
    return tuple(_imports_in(source.tree))


def _imports_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def file_of(name: str, paths: frozenset[str]) -> str | None:
    """The file that a dotted name imports from, if it is one of the program's."""
    stem = name.replace(".", "/")
    return next((path for path in (f"{stem}.py", f"{stem}/__init__.py") if path in paths), None)


def _folder_of(path: str, pattern: str) -> str | None:
    match = re.match(re.escape(pattern).replace(r"\*", "[^/]+"), path)
    return match and match.group()
