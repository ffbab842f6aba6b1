"""What extensions add to the program, and the services that they run beside it."""

import asyncio
import functools
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, TypeAlias

from modules.chat.tools.extension import ExtensionTool
from modules.errors import NotFound, NotLoaded, ServiceError
from modules.runtime import Runtime

Announce: TypeAlias = Callable[[str], None]
Service: TypeAlias = Callable[[Runtime, Announce], Awaitable[None]]

_log = logging.getLogger(__name__)
_BROKE_DOWN: Final = "It failed unexpectedly; see the log."


class ServiceStatus(StrEnum):
    """STARTING lasts until the service announces something; FAILED: it could not start, or broke down later."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """`message` says why it failed; `announced` are the lines it has said since it was started, such as its URL."""

    name: str
    status: ServiceStatus = ServiceStatus.STOPPED
    message: str = ""
    announced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedService:
    """A service with a name; one that `starts_itself` runs from the program's start on."""

    name: str
    serve: Service
    starts_itself: bool = True


class Services:
    """Owns the tasks of all services. `announce` hears, at once, every line that one of them says."""

    def __init__(self, offered: tuple[OfferedService, ...] = (), announce: Announce | None = None) -> None:
        self._offered = {each.name: each for each in offered}
        self._announce = announce
        self._states = {name: ServiceState(name=name) for name in self._offered}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, ServiceError] = {}
        self._changed = asyncio.Event()
        self._runtime: Runtime | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._offered)

    @property
    def states(self) -> Mapping[str, ServiceState]:
        return dict(self._states)

    def state(self, name: str) -> ServiceState:
        """Raises NotFound."""
        if name not in self._states:
            raise NotFound(f"There is no service {name!a}. There are: {', '.join(self._states) or 'none'}.")
        return self._states[name]

    async def changes(self) -> AsyncGenerator[Mapping[str, ServiceState], None]:
        """All states, then once more after each change; never ends by itself."""
        while True:
            changed = self._changed
            yield self.states
            await changed.wait()

    def bind(self, runtime: Runtime) -> None:
        """From now on services can be started."""
        self._runtime = runtime

    async def start_all(self) -> None:
        """Start those that start by themselves. Raises what the first that cannot start says (SettingsError)."""
        for name, each in self._offered.items():
            if each.starts_itself and (await self.start(name)).status is ServiceStatus.FAILED:
                raise self._failures.get(name) or ServiceError(f"{name}: {self._states[name].message}")

    async def start(self, name: str) -> ServiceState:
        """Its state once it runs or has failed; does nothing for one that runs. Raises NotFound, NotLoaded."""
        state = self.state(name)
        if self._runtime is None:
            raise NotLoaded("The program is starting; services can be started once it runs.")
        if state.status in {ServiceStatus.STOPPED, ServiceStatus.FAILED}:
            self._failures.pop(name, None)
            self._publish(ServiceState(name=name, status=ServiceStatus.STARTING))
            self._tasks[name] = asyncio.create_task(self._serve(self._offered[name], self._runtime))
        while self._states[name].status is ServiceStatus.STARTING:
            await self._changed.wait()
        return self._states[name]

    async def stop(self, name: str) -> ServiceState:
        """Ends it in order; does nothing for one that does not run. Raises NotFound."""
        self.state(name)
        task = self._tasks.get(name)
        if task is not None and not task.done():
            task.cancel()
            # Not awaited itself: how the service ended is in its state.
            await asyncio.wait([task])
        if self._states[name].status is not ServiceStatus.STOPPED:
            self._publish(ServiceState(name=name))
        return self._states[name]

    async def until_all_ended(self) -> None:
        """Waits until no service runs."""
        while any(state.status in {ServiceStatus.STARTING, ServiceStatus.RUNNING} for state in self._states.values()):
            await self._changed.wait()

    async def aclose(self) -> None:
        """Ends all of them, side by side."""
        await asyncio.gather(*map(self.stop, self._offered))
        self._runtime = None

    async def _serve(self, offered: OfferedService, runtime: Runtime) -> None:
        name = offered.name
        try:
            await offered.serve(runtime, functools.partial(self._say, name))
        except ServiceError as failure:
            self._failures[name] = failure
            self._fail(name, failure.message)
        except Exception:  # noqa: BLE001 - the state says it
            _log.exception("the service %s failed", name)
            self._fail(name, _BROKE_DOWN)
        else:
            self._publish(ServiceState(name=name))

    def _say(self, name: str, line: str) -> None:
        state = self._states[name]
        self._publish(replace(state, status=ServiceStatus.RUNNING, announced=(*state.announced, line)))
        if self._announce is not None:
            self._announce(line)

    def _fail(self, name: str, message: str) -> None:
        self._publish(ServiceState(name=name, status=ServiceStatus.FAILED, message=message))

    def _publish(self, state: ServiceState) -> None:
        self._states[state.name] = state
        # A new event for each change, so that no waiter misses one that comes while it wakes.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


Build: TypeAlias = Callable[[], object]
Text: TypeAlias = str | Callable[[], str]


@dataclass(frozen=True, slots=True)
class TabContribution:
    """A tab of the page; `build` is called inside it, where it makes Gradio components."""

    title: str
    build: Build


@dataclass(frozen=True, slots=True)
class BlockContribution:
    """A part of the page below the chat; `build` as in `TabContribution`. Whether it shows its `title` is up to itself."""

    title: str
    build: Build


@dataclass(slots=True)
class Contributions:
    """Filled while an extension is set up. `hooks` are by the names of `modules.hooks.Hooks`."""

    hooks: dict[str, list[Any]] = field(default_factory=dict)
    tabs: list[TabContribution] = field(default_factory=list)
    blocks: list[BlockContribution] = field(default_factory=list)
    css: list[Text] = field(default_factory=list)
    js: list[Text] = field(default_factory=list)
    tools: list[ExtensionTool] = field(default_factory=list)
    services: list[OfferedService] = field(default_factory=list)
