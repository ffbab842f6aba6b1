"""Gradio's import without the type stubs that it writes for its components, half of the time it takes."""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Final

from typing_extensions import override

_MODULE: Final = "gradio.component_meta"
_WRITER: Final = "create_or_modify_pyi"


def leave_out_stubs() -> None:
    """To be called before Gradio is imported: for every component it parses its source, and writes beside it what editors
    show. Nothing happens where Gradio has been imported, or has no such function."""
    if _MODULE not in sys.modules and not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _MODULE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        spec.loader = _Without(spec.loader)
        return spec


class _Without(Loader):
    """Runs the module, and takes the writing out of it."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    @override
    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    @override
    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        if hasattr(module, _WRITER):
            setattr(module, _WRITER, _write_nothing)


def _write_nothing(*_: object) -> None:
    """In place of the stubs."""
