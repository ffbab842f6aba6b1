"""Finds, imports and sets up extensions; one that fails is left out."""

import ast
import importlib
import logging
from collections.abc import Callable
from pathlib import Path

from modules.errors import SettingsError
from modules.extend.contributions import Announce
from modules.extend.discovery import ExtensionOrigin, Found, find_extension, load_script
from modules.extend.extensions import Extensions, RunningProgram
from modules.extend.host import Host
from modules.extend.legacy.hooks import LegacyExtensions
from modules.extend.legacy.program import OldProgram
from modules.extend.worker import reason_for
from modules.settings.values import API_EXTENSION, Settings

_log = logging.getLogger(__name__)


def load_extensions(settings: Settings, *, announce: Announce | None = None) -> Extensions:
    """Those that `settings` name, in that order. One that cannot be loaded is named in the log with what to do.

    The API is among them if it is to be served, and also, for the sake of whoever wants to start it later, when there
    is a page. `announce` hears what services say.
    """
    loading = _Loading(settings, announce)
    for name in loading.names():
        loading.load(name)
    return loading.finish()


class _Loading:
    def __init__(self, settings: Settings, announce: Announce | None) -> None:
        self._settings = settings
        self._announce = announce
        self.program = RunningProgram(settings)
        self.hosts: list[Host] = []
        self.skipped: dict[str, str] = {}
        self._legacy: LegacyExtensions | None = None

    def names(self) -> tuple[str, ...]:
        wants_api = self._settings.api or not self._settings.nowebui
        return (*self._settings.active_extensions, *((API_EXTENSION,) if wants_api else ()))

    def load(self, name: str) -> None:
        is_active = name != API_EXTENSION or self._settings.api
        host = Host(name, self.program, is_active=is_active)
        folder = Path(name)
        try:
            found = find_extension(self._settings.user_data, name)
            folder = found.folder
            self._set_up(found, host)
        except (Exception, SystemExit) as failure:
            if name == API_EXTENSION:
                raise SettingsError(f"The API cannot be served: {reason_for(failure, folder)}") from failure
            reason = reason_for(failure, folder)
            self.skipped[name] = reason
            _log.error("the extension %s is skipped: %s", name, reason)
            _log.debug("where %s failed", name, exc_info=failure)
        else:
            self.hosts.append(host)

    def _set_up(self, found: Found, host: Host) -> None:
        if takes_host(found.script):
            _setup_of(found)(host)
            return
        # Made for the first of them, for it takes a while.
        self._legacy = self._legacy or LegacyExtensions(OldProgram(self.program))
        self._legacy.load(found, host)

    def finish(self) -> Extensions:
        if self._legacy is not None:
            self._legacy.add_hooks()
        return Extensions(self.program, self.hosts, self.skipped, self._announce)


def takes_host(script: Path) -> bool:
    """Whether the script defines `setup(host)`. One whose `setup` takes nothing, or that has none, is of the old kind.

    Raises SyntaxError.
    """
    tree = ast.parse(script.read_text(encoding="utf-8"), script.name)
    setups = [
        node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "setup"
    ]
    return bool(setups) and bool(setups[-1].args.posonlyargs or setups[-1].args.args)


def _setup_of(found: Found) -> Callable[[Host], None]:
    if found.origin is ExtensionOrigin.BUILT_IN:
        module = importlib.import_module(f"extensions.{found.name}.script")
    else:
        module = load_script(found)
    setup: Callable[[Host], None] = module.setup
    return setup
