"""The entry point: flags → extensions → runtime → serve → close, and again after a restart."""

import asyncio
import contextlib
import importlib
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any, Final, NoReturn, Protocol, TextIO

from modules.errors import SettingsError
from modules.extend.contributions import Announce
from modules.extend.extensions import Extensions
from modules.extend.loader import load_extensions
from modules.logs import announce, open_standard_streams, set_up_logging
from modules.models.state import ModelState, Status
from modules.runtime import Runtime
from modules.serving.sockets import on_signals
from modules.settings.flag_parser import HelpRequested
from modules.settings.flags import parse
from modules.settings.values import Settings
from modules.ui.shell.stubs import leave_out_stubs

if sys.platform == "win32":
    from asyncio import new_event_loop
else:
    from uvloop import new_event_loop

# What argparse and shells use for a command line that cannot be understood.
_USAGE_ERROR: Final = 2
_FAILURE: Final = 1
_NOTHING_TO_SERVE: Final = (
    "With --nowebui there is nothing to serve. Leave it out for the web UI, or add --api for the OpenAI-compatible API."
)
_PAGE: Final = "modules.ui.server"
_SURFACE: Final = "modules.ui.shell.surface"
_LINES_PER_LOAD: Final = 4


class PageModule(Protocol):
    """The module of the web page, which is not imported where there is none: Gradio takes long to load."""

    def serve_page(
        self, runtime: Runtime, extensions: Extensions, *, announce: Announce
    ) -> Coroutine[Any, Any, None]: ...


def main(argv: Sequence[str]) -> int:
    """Serve until a signal ends it. Returns the exit code: 0, 1 for what broke down, 2 for settings that cannot be used."""
    open_standard_streams()
    try:
        settings = parse(argv, os.environ)
        set_up_logging(verbose=settings.verbose, keys=settings.secrets)
        page = _page(settings)
        if page is None and not settings.api:
            raise SettingsError(_NOTHING_TO_SERVE)
        extensions = load_extensions(settings, announce=announce)
        code = _run(settings, extensions, page)
        return _start_again() if extensions.is_restart_requested else code
    except HelpRequested as request:
        print(request)
        return 0
    except SettingsError as error:
        print(error.message, file=sys.stderr)
        return _USAGE_ERROR


def _page(settings: Settings) -> PageModule | None:
    if settings.nowebui:
        return None
    leave_out_stubs()
    surface = importlib.import_module(_SURFACE)
    try:
        asyncio.run(surface.check())
    except surface.UntestedGradio as refusal:
        announce(refusal.message)
        return None
    page: PageModule = importlib.import_module(_PAGE)
    return page


def _run(settings: Settings, extensions: Extensions, page: PageModule | None) -> int:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_until_signal(settings, extensions, page))


def _start_again() -> NoReturn:
    """This process becomes the next start, with the arguments it had."""
    command = [sys.executable, *sys.orig_argv[1:]]
    sys.stdout.flush()
    sys.stderr.flush()
    if sys.platform == "win32":
        # There, exec detaches the console.
        sys.exit(subprocess.run(command, check=False).returncode)
    os.execv(sys.executable, command)  # noqa: S606 - the same program again


async def _until_signal(settings: Settings, extensions: Extensions, page: PageModule | None) -> int:
    serving = asyncio.create_task(_serve(settings, extensions, page))
    with on_signals(serving.cancel):
        await asyncio.wait([serving])
    return 0 if serving.cancelled() else serving.result()


async def _serve(settings: Settings, extensions: Extensions, page: PageModule | None) -> int:
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(Runtime(settings, hooks=extensions.hooks))
        await stack.enter_async_context(extensions.running(runtime))
        _ = await stack.enter_async_context(_beside(show_progress(runtime.models.changes(), sys.stderr)))
        _ = await stack.enter_async_context(_beside(list_remote(runtime)))
        restart = await stack.enter_async_context(_beside(extensions.restart_requested()))
        await extensions.services.start_all()
        face = (
            page.serve_page(runtime, extensions, announce=announce) if page else extensions.services.until_all_ended()
        )
        serving = await stack.enter_async_context(_beside(face))
        await asyncio.wait([serving, restart], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
            return _FAILURE
    return 0


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncGenerator["asyncio.Task[None]", None]:
    """A task that has ended when the block has."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def list_remote(runtime: Runtime) -> None:
    """Ask other servers for their models once: what a server takes is known from how it lists them."""
    await asyncio.gather(*(source.list_cards() for source in runtime.remote.values()))


async def show_progress(changes: AsyncGenerator[ModelState, None], terminal: TextIO) -> None:
    """Write how far each load has come: one line that changes on a terminal, a few lines into a file. It ends when nothing
    can be written any more."""
    with contextlib.suppress(OSError):
        await _show_progress(changes, terminal)


async def _show_progress(changes: AsyncGenerator[ModelState, None], terminal: TextIO) -> None:
    shown = 0
    async with aclosing(changes):
        async for state in changes:
            if state.status is not Status.LOADING:
                shown = _end_line(terminal, shown)
            elif terminal.isatty():
                shown = 1
                terminal.write(f"\r{_line(state)}")
                terminal.flush()
            elif int(state.progress * _LINES_PER_LOAD) > shown:
                shown = int(state.progress * _LINES_PER_LOAD)
                terminal.write(f"{_line(state)}\n")


def _line(state: ModelState) -> str:
    return f"loading {state.name}: {state.progress:4.0%}"


def _end_line(terminal: TextIO, shown: int) -> int:
    if shown and terminal.isatty():
        terminal.write("\n")
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
    sys.exit(130)
