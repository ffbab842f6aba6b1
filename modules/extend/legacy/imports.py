"""`import` in old scripts: modules that this program does not have are replaced, for them alone."""

import builtins
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final

from modules.extend.discovery import ExtensionPackage

# The package in text-generation-webui from which old scripts import.
_OLD: Final = "modules"
_FOLDER: Final = "extensions"


class OldImports:
    """Python's built-ins with another `__import__`; `sys.modules` never hears of the stand-ins."""

    def __init__(self, extension: str, stand_ins: Mapping[str, ModuleType]) -> None:
        self.builtins: Mapping[str, Any] = {**vars(builtins), "__import__": self._import}
        self._extension = extension
        self._stand_ins = stand_ins
        self._package: ExtensionPackage | None = None

    def serve(self, package: ExtensionPackage) -> None:
        """The files that stand beside the script."""
        self._package = package

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - Python passes it under this name
        locals: Mapping[str, Any] | None = None,  # noqa: A002 - likewise
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        names = fromlist or ()
        if level:
            return self._relative(name, globals or {}, names, level)
        if name == _OLD or name.startswith(f"{_OLD}."):
            return self._old(name, names)
        own = f"{_FOLDER}.{self._extension}"
        if name == own or name.startswith(f"{own}."):
            below = name.removeprefix(own).removeprefix(".")
            return self._own(below, names) if names else _tree(own, self._own(below, ("",)), below)
        if name == _FOLDER and self._extension in names:
            return _tree(own, self._own("", ("",)), "")
        try:
            return builtins.__import__(name, globals, locals, names, 0)
        except ModuleNotFoundError as failure:
            # Only a module that is missing itself: an import that fails within it is the script's own mistake.
            if self._package is None or failure.name != name.partition(".")[0] or not self._package.has(name):
                raise
            return self._own(name, names)

    def _old(self, name: str, names: Sequence[str]) -> ModuleType:
        if name not in self._stand_ins:
            raise ImportError(f"old scripts can import no {name} here; there are: {', '.join(self._stand_ins)}")
        module = self._stand_ins[name]
        for each in names:
            if each != "*" and not hasattr(module, each):
                raise ImportError(f"the stand-in of {name} has no {each}, so this script does not work here")
        return module if names else self._stand_ins[_OLD]

    def _own(self, name: str, names: Sequence[str]) -> ModuleType:
        """As Python does: the module of that name if something is to be taken from it, else the first part of it."""
        assert self._package is not None
        module = self._package.module(name) if name else self._package.root
        for each in names:
            below = f"{name}.{each}" if name else each
            if each not in ("", "*") and not hasattr(module, each) and self._package.has(below):
                self._package.module(below)
        return module if names or not name else self._package.module(name.partition(".")[0])

    def _relative(self, name: str, importer: Mapping[str, Any], names: Sequence[str], level: int) -> ModuleType:
        assert self._package is not None
        parts = str(importer.get("__package__") or self._package.root.__name__).split(".")[1:]
        above = parts[: len(parts) - (level - 1)] if level > 1 else parts
        return self._own(".".join(filter(None, (*above, name))), names or ("",))


def _tree(own: str, module: ModuleType, below: str) -> ModuleType:
    """What `import extensions.name.file` binds: modules within modules, the innermost being the real one."""
    found = module
    for part in reversed([*own.split(".")[1:], *filter(None, below.split("."))]):
        outer = ModuleType(own)
        setattr(outer, part, found)
        found = outer
    return found
