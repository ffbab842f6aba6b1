"""The extension API: `setup(host)` adds to the program through this object only."""

import functools
import inspect
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from typing import Any, Final, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from modules.chat.tools.extension import ExtensionTool
from modules.errors import ExtensionFailed, ServiceError, SettingsError
from modules.extend.contributions import (
    BlockContribution,
    Build,
    Contributions,
    OfferedService,
    Service,
    TabContribution,
    Text,
)
from modules.extend.worker import ExtensionThread, place_of
from modules.hooks import HOOK_NAMES, ExtensionHook, Turn
from modules.messages import ToolSpec
from modules.runtime import Runtime
from modules.settings.options import did_you_mean

_Settings = TypeVar("_Settings")
_Item = TypeVar("_Item")
_Function = TypeVar("_Function", bound=Callable[..., Any])

_log = logging.getLogger(__name__)
_REPLY: Final = "reply"


class HostProgram(Protocol):
    """The running program, as far as extensions see it."""

    @property
    def runtime(self) -> Runtime: ...

    @property
    def components(self) -> Mapping[str, Any]: ...

    def request_restart(self) -> None: ...

    def values_of(self, extension: str) -> dict[str, object]: ...


class Host:
    """One for each extension; `name` is its folder's. `added` is read once `setup` has returned. Services of one that is
    not active are started by the user."""

    def __init__(self, name: str, program: HostProgram, *, is_active: bool = True) -> None:
        self.name = name
        self.is_active = is_active
        self.added = Contributions()
        self.worker = ExtensionThread(name)
        self._program = program

    @property
    def runtime(self) -> Runtime:
        """The program's parts, to be read. Raises NotLoaded until the program runs, so not for use in `setup`."""
        return self._program.runtime

    @property
    def components(self) -> Mapping[str, Any]:
        """Parts of the page that were built before the extension's own, by name: `character_menu`, `mode` and others;
        empty where there is no page."""
        return self._program.components

    def settings(self, kind: type[_Settings]) -> _Settings:
        """A value of the frozen dataclass `kind`, in which each field is what settings.yaml has under the key
        `<extension>-<field>`, or else its default. Raises SettingsError for a value of the wrong type."""
        fields = inspect.signature(kind).parameters
        values = {name: value for name, value in self._program.values_of(self.name).items() if name in fields}
        try:
            return TypeAdapter(kind).validate_python(values)
        except ValidationError as failure:
            first = failure.errors()[0]
            key = f"{self.name}-{first['loc'][0]}" if first["loc"] else self.name
            raise SettingsError(f"{key} in settings.yaml cannot be used: {first['msg']}.", param=key) from None

    def hook(self, function: _Function) -> _Function:
        """Add `function` to the hook that has its name; `modules.hooks` lists them all. Meant as a decorator.

        A plain function runs on a thread of this extension, never two at once; a coroutine function runs on the event
        loop, which it must not hold up. Raises SettingsError for a name that is no hook.
        """
        name = function.__name__
        if name not in HOOK_NAMES:
            raise SettingsError(
                f"{self.name}: there is no hook {name}{did_you_mean(name, HOOK_NAMES) or '.'} There are: "
                f"{', '.join(HOOK_NAMES)}.",
            )
        hook = self._reply(function) if name == _REPLY else self._change(function)
        self.add_hook(name, hook)
        return function

    def add_hook(self, name: str, function: Callable[..., Any]) -> None:
        """Add what is a hook already: a coroutine function, or an asynchronous generator for `reply`."""
        self.added.hooks.setdefault(name, []).append(ExtensionHook(self.name, function))

    def add_tool(self, spec: ToolSpec, function: Callable[[dict[str, Any]], object]) -> None:
        """Offer the model a tool; `function` gets the arguments of a call and returns a text or what JSON can hold."""
        self.added.tools.append(ExtensionTool(spec, function))

    def add_tab(self, title: str, build: Build) -> None:
        """Add a tab to the page: `build` is called inside it when the page is made, and makes Gradio components."""
        self.added.tabs.append(TabContribution(title, self._guarded(build)))

    def add_block(self, build: Build, *, title: str = "") -> None:
        """Add a part to the page below the chat, made as in `add_tab`."""
        self.added.blocks.append(BlockContribution(title or self.name, self._guarded(build)))

    def add_css(self, css: Text) -> None:
        """Add style rules to the page; a function is called when the page is made."""
        self.added.css.append(css)

    def add_js(self, js: Text) -> None:
        """Add JavaScript that runs when the page is opened; a function is called when the page is made."""
        self.added.js.append(js)

    def serve(self, service: Service, *, name: str = "") -> None:
        """Run `await service(runtime, announce)` from the program's start on, until it is cancelled: when the user stops
        it, or the program ends. It calls `announce` with a line for the user, such as its address, once it is up."""
        self.added.services.append(OfferedService(name=name or self.name, serve=service, starts_itself=self.is_active))

    def restart(self) -> None:
        """Have the program end in order and start again with the same arguments; from the event loop's thread only."""
        self._program.request_restart()

    async def call(self, function: Callable[..., Any], *args: object) -> Any:  # noqa: ANN401 - what the function returns
        """What a function of the extension returns, with its failures put down to the extension."""
        try:
            if inspect.iscoroutinefunction(function):
                return await function(*args)
            return await self.worker.call(function, *args)
        except ServiceError:
            raise
        except Exception as failure:
            raise self.blamed(function, failure) from failure

    async def iterated(
        self, function: Callable[..., Any], begin: Callable[[], Iterator[_Item]]
    ) -> AsyncGenerator[_Item, None]:
        """What the generator that `begin` makes yields, with its failures put down to `function`."""
        async with aclosing(self._blaming(function, self.worker.iterate(begin))) as items:
            async for item in items:
                yield item

    def blamed(self, function: Callable[..., Any], failure: Exception) -> ExtensionFailed:
        """What a caller hears of a failing function; the log says where it is, without what was said to it."""
        name = getattr(function, "__name__", "a function")
        _log.error("the extension %s failed in %s: %s", self.name, name, place_of(failure))
        return ExtensionFailed(
            f"The extension {self.name} failed in {name}; the log says where. Start without it to go on."
        )

    def _change(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def change(value: object, turn: Turn) -> Any:  # noqa: ANN401 - as the hook says
            return await self.call(function, value, turn)

        return change

    async def _blaming(
        self, function: Callable[..., Any], items: AsyncGenerator[_Item, None]
    ) -> AsyncGenerator[_Item, None]:
        try:
            async with aclosing(items):
                async for item in items:
                    yield item
        except ServiceError:
            raise
        except Exception as failure:
            raise self.blamed(function, failure) from failure

    def _reply(self, function: Callable[..., Any]) -> Callable[[Turn], AsyncGenerator[str, None]]:
        def reply(turn: Turn) -> AsyncGenerator[str, None]:
            if inspect.isasyncgenfunction(function):
                return self._blaming(function, function(turn))
            return self.iterated(function, functools.partial(function, turn))

        return reply

    def _guarded(self, build: Build) -> Build:
        """A page can do without what one extension fails to build."""

        @functools.wraps(build)
        def guarded() -> object:
            try:
                return build()
            except Exception:  # noqa: BLE001 - a page can do without it
                _log.exception("the extension %s failed to build its part of the page", self.name)
                return None

        return guarded
