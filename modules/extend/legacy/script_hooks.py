"""Scripts of the old kind, whose functions have fixed names: each is mapped to a hook or a part of the page.

No other file of the program knows that they exist.
"""

import logging
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, Final

from modules.errors import SettingsError
from modules.extend.discovery import SCRIPT, Found
from modules.extend.host import Host
from modules.extend.legacy.hooks import LegacyHooks
from modules.extend.legacy.imports import OldImports
from modules.extend.legacy.modules import old_modules
from modules.extend.legacy.program import OldProgram
from modules.extend.legacy.script import OldScript
from modules.extend.package import ExtensionPackage

_log = logging.getLogger(__name__)
_STEM: Final = SCRIPT.removesuffix(".py")


class LegacyExtensions:
    """Loads old scripts; what they share, such as the modules that they import, is there once for all of them."""

    def __init__(self, program: OldProgram) -> None:
        self._program = program
        self._modules = old_modules(program)

    def load(self, found: Found, host: Host) -> None:
        """Import the script, set its parameters, run its setup() and add to `host` what it brings for the page."""
        imports = OldImports(found.name, self._modules)
        package = ExtensionPackage(found, imports.builtins)
        imports.serve(package)
        script = OldScript(host, package.module(_STEM))
        set_parameters(script, self._program.values_of(found.name))
        if setup := script.function("setup"):
            setup()
        _add_to_page(script)
        self._program.scripts.append(script)

    def add_hooks(self) -> None:
        """Once all are loaded: all old scripts step in together, where the first of them stands."""
        scripts = self._program.scripts
        if scripts:
            added = scripts[0].host.added
            for name, hook in LegacyHooks(self._program).added().items():
                added.hooks.setdefault(name, []).append(hook)


def set_parameters(script: OldScript, values: MutableMapping[str, object]) -> None:
    """Put what the operator set in the place of what the script has. Raises SettingsError for a script that cannot be."""
    params = script.params
    for name in params.keys() & values.keys():
        params[name] = values[name]
    if not isinstance(params.get("display_name", ""), str):
        raise SettingsError(f"display_name among the params of {script.name} must be a text.")


def _add_to_page(script: OldScript) -> None:
    title = str(script.params.get("display_name") or script.name)
    if build := script.function("ui"):
        if script.params.get("is_tab"):
            script.host.add_tab(title, build)
        else:
            script.host.add_block(build, title=title)
    for add, function in _texts(script):
        add(function)


def _texts(script: OldScript) -> Iterator[tuple[Callable[[Callable[[], Any]], None], Callable[[], Any]]]:
    if css := script.function("custom_css"):
        yield script.host.add_css, css
    if js := script.function("custom_js"):
        yield script.host.add_js, js
