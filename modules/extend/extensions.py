"""The loaded extensions: what they add to the program, and what the Session tab does with them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modules.chat.tools.extension import ExtensionTool
from modules.errors import BadRequest, NotLoaded
from modules.extend.contributions import Announce, BlockContribution, Services, TabContribution, Text
from modules.extend.discovery import ExtensionOrigin, Found, found_extensions
from modules.extend.host import Host
from modules.hooks import Hooks
from modules.runtime import Runtime
from modules.settings.groups.extensions import extension_values, save_keys, settings_path
from modules.settings.values import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionInfo:
    """One extension that there is. `failure` says why an active one was skipped, empty for those that work."""

    name: str
    origin: ExtensionOrigin
    folder: Path
    is_active: bool = False
    failure: str = ""


@dataclass(slots=True)
class RunningProgram:
    """What hosts know of the program, from before it runs until after."""

    settings: Settings
    current: Runtime | None = None
    loop: asyncio.AbstractEventLoop | None = None
    restart: asyncio.Event = field(default_factory=asyncio.Event)
    components: dict[str, Any] = field(default_factory=dict)

    @property
    def runtime(self) -> Runtime:
        if self.current is None:
            raise NotLoaded("The program is not running yet; use the runtime in hooks and services, not in setup.")
        return self.current

    def request_restart(self) -> None:
        self.restart.set()

    def values_of(self, extension: str) -> dict[str, object]:
        return extension_values(self.settings, extension)


class Extensions:
    """Everything is fixed but which services run. `hosts` are of those extensions that could be loaded, in order;
    `skipped` says of the others why they were not."""

    def __init__(
        self,
        program: RunningProgram,
        hosts: Sequence[Host] = (),
        skipped: Mapping[str, str] | None = None,
        announce: Announce | None = None,
    ) -> None:
        self._program = program
        self._hosts = tuple(hosts)
        self._skipped = dict(skipped or {})
        added = [host.added for host in hosts]
        self.hooks = _hooks(hosts)
        self.tabs: tuple[TabContribution, ...] = tuple(tab for each in added for tab in each.tabs)
        self.blocks: tuple[BlockContribution, ...] = tuple(block for each in added for block in each.blocks)
        self.tools: tuple[ExtensionTool, ...] = tuple(tool for each in added for tool in each.tools)
        self.services = Services(tuple(service for each in added for service in each.services), announce)

    @property
    def css(self) -> str:
        return "\n".join(self._texts({host.name: host.added.css for host in self._hosts}))

    @property
    def js(self) -> str:
        """One JavaScript function that runs what each extension brings; empty when none brings any."""
        texts = self._texts({host.name: host.added.js for host in self._hosts})
        # One script that fails must not keep the others from running.
        parts = (f"try {{ (() => {{\n{text}\n}})(); }} catch (error) {{ console.error(error); }}" for text in texts)
        return "() => {{\n{}\n}}".format("\n".join(parts)) if texts else ""

    def available(self) -> list[ExtensionInfo]:
        """All extensions on disk, by name; reads folders."""
        return [self._info(found) for found in found_extensions(self._program.settings.user_data)]

    def save(self, active: Sequence[str], parameters: Mapping[str, object] | None = None) -> None:
        """Store which extensions start by themselves, and parameters by their keys `<extension>-<parameter>`; None takes
        one out. Everything else in the settings file stays. Raises BadRequest for what is no extension or no such key.
        """
        known = {info.name for info in self.available()}
        for name in active:
            if name not in known:
                raise BadRequest(f"There is no extension {name!a}.", param="extensions")
        for key in parameters or {}:
            if not any(key.startswith(f"{name}-") for name in known):
                raise BadRequest(f"{key!a} is not a parameter of an extension.", param="extensions")
        chosen = {"default_extensions": list(active) or None}
        save_keys(settings_path(self._program.settings), chosen | dict(parameters or {}))

    def offer_components(self, components: Mapping[str, Any]) -> None:
        """Let extensions find parts of the page by name; to be called before their own parts are built. The names that
        old scripts ask for are those of the settings, and `textbox`, `display`, `history`, `Generate`, `Stop` …"""
        self._program.components.update(components)

    def request_restart(self) -> None:
        """Ask for the program to end in order and to start again with the same arguments."""
        self._program.request_restart()

    @property
    def is_restart_requested(self) -> bool:
        return self._program.restart.is_set()

    async def restart_requested(self) -> None:
        """Waits for it."""
        await self._program.restart.wait()

    @asynccontextmanager
    async def running(self, runtime: Runtime) -> AsyncIterator[None]:
        """While it is entered, extensions see the runtime and services can be started; then those that run are ended."""
        self._program.current, self._program.loop = runtime, asyncio.get_running_loop()
        self.services.bind(runtime)
        try:
            yield
        finally:
            await self.services.aclose()
            await asyncio.gather(*(host.worker.aclose() for host in self._hosts))
            self._program.current = self._program.loop = None

    def _info(self, found: Found) -> ExtensionInfo:
        loaded = {host.name for host in self._hosts if host.is_active}
        failure = self._skipped.get(found.name, "")
        return ExtensionInfo(
            name=found.name,
            origin=found.origin,
            folder=found.folder,
            is_active=found.name in loaded,
            failure=failure,
        )

    def _texts(self, by_extension: Mapping[str, Sequence[Text]]) -> list[str]:
        return [text for name, texts in by_extension.items() for each in texts if (text := _text(name, each))]


def _text(extension: str, text: Text) -> str:
    if isinstance(text, str):
        return text
    try:
        return str(text() or "")
    except Exception:  # noqa: BLE001 - a page can do without it
        _log.exception("the extension %s failed to say what it adds to the page", extension)
        return ""


def _hooks(hosts: Sequence[Host]) -> Hooks:
    functions: dict[str, Any] = {}
    for host in hosts:
        for name, added in host.added.hooks.items():
            functions[name] = (*functions.get(name, ()), *added)
    return Hooks(**functions)
