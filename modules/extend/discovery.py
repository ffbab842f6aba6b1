"""Where extensions are found, and how a user's extension is imported under a name of its own."""

import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from modules.errors import BadRequest, NotFound
from modules.paths import PROGRAM_FOLDER, UserData, inside
from modules.settings.options import did_you_mean

SCRIPT: Final = "script.py"
BUILT_IN_FOLDER: Final = PROGRAM_FOLDER / "extensions"


class ExtensionOrigin(StrEnum):
    USER = "user"
    BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True)
class Found:
    name: str
    folder: Path
    origin: ExtensionOrigin

    @property
    def script(self) -> Path:
        return self.folder / SCRIPT


def find_extension(data: UserData, name: str) -> Found:
    """The extension of that name, the user's if there are two. Raises BadRequest for no plain name, NotFound."""
    for root, origin in _roots(data):
        folder = inside(root, name, param="extensions")
        if (folder / SCRIPT).is_file():
            return Found(name, folder, origin)
    names = [found.name for found in found_extensions(data)]
    raise NotFound(
        f"There is no extension {name!a}{did_you_mean(name, names) or '.'} There are: {', '.join(names) or 'none'}.",
        param="extensions",
    )


def found_extensions(data: UserData) -> list[Found]:
    """All there are, by name, each once."""
    found = {each.name: each for root, origin in reversed(_roots(data)) for each in _in(root, origin)}
    return sorted(found.values(), key=lambda each: (each.name.lower(), each.name))


def _roots(data: UserData) -> tuple[tuple[Path, ExtensionOrigin], ...]:
    return (data.extensions, ExtensionOrigin.USER), (BUILT_IN_FOLDER, ExtensionOrigin.BUILT_IN)


def _in(root: Path, origin: ExtensionOrigin) -> Iterator[Found]:
    if not root.is_dir():
        return
    for entry in root.iterdir():
        if not (entry / SCRIPT).is_file():
            continue
        try:
            yield Found(entry.name, inside(root, entry.name), origin)
        except BadRequest:
            continue


def load_script(found: Found) -> ModuleType:
    """The module of its script.py, freshly executed; files beside it can be imported relatively."""
    return ExtensionPackage(found).module(SCRIPT.removesuffix(".py"))


class ExtensionPackage:
    """The folder as a package. What is imported from it sees `builtins` in place of Python's own, if they are given."""

    def __init__(self, found: Found, builtins: Mapping[str, Any] | None = None) -> None:
        # Two folders of the same name, the user's and the program's, are two packages.
        digest = hashlib.sha256(str(found.folder).encode()).hexdigest()[:8]
        plain = re.sub(r"\W", "_", found.name)
        self.name = f"extension_{plain}_{digest}"
        self._builtins = builtins
        self._forget()
        spec = ModuleSpec(self.name, None, is_package=True)
        spec.submodule_search_locations = [str(found.folder)]
        sys.modules[self.name] = importlib.util.module_from_spec(spec)

    @property
    def root(self) -> ModuleType:
        """The folder itself."""
        return sys.modules[self.name]

    def has(self, name: str) -> bool:
        """Whether there is a module of that dotted name in the folder."""
        try:
            return self._spec(name) is not None
        except ModuleNotFoundError:
            return False

    def module(self, name: str) -> ModuleType:
        """The module of that dotted name below the folder, imported the first time. Raises ModuleNotFoundError."""
        full = f"{self.name}.{name}"
        if full in sys.modules:
            return sys.modules[full]
        spec = self._spec(name)
        if spec is None:
            raise ModuleNotFoundError(f"There is no {name} in the extension's folder.", name=full)
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        try:
            self._execute(spec, module)
        except BaseException:
            # A module that failed half way must not be found by the next import.
            del sys.modules[full]
            raise
        parent, _, child = full.rpartition(".")
        # As Python's own import does: `package.module` is an attribute of its package.
        setattr(sys.modules[parent], child, module)
        return module

    def _spec(self, name: str) -> ModuleSpec | None:
        parent, _, _ = name.rpartition(".")
        package = self.module(parent) if parent else sys.modules[self.name]
        return PathFinder.find_spec(f"{self.name}.{name}", getattr(package, "__path__", []))

    def _execute(self, spec: ModuleSpec, module: ModuleType) -> None:
        loader = spec.loader
        if self._builtins is None or not isinstance(loader, SourceFileLoader):
            if loader is not None:
                loader.exec_module(module)
            return
        # Python looks up __import__ there for code of this module only.
        module.__dict__["__builtins__"] = self._builtins
        code = loader.get_code(spec.name)
        assert code is not None
        exec(code, module.__dict__)  # noqa: S102 - that is what importing is

    def _forget(self) -> None:
        """An earlier load of the same folder."""
        for name in [name for name in sys.modules if name == self.name or name.startswith(f"{self.name}.")]:
            del sys.modules[name]
