"""The front door: flags → runtime → serve → close."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final, TextIO

from extensions.openai.server import serve_api
from extensions.openai.signals import on_signals
from modules.errors import SettingsError
from modules.flag_parser import HelpRequested
from modules.flags import parse
from modules.logs import set_up_logging
from modules.models.state import ModelState, Status
from modules.runtime import Runtime
from modules.settings import Settings

if sys.platform == "win32":
    from asyncio import new_event_loop
else:
    from uvloop import new_event_loop

_USAGE_ERROR: Final = 2
_NOTHING_TO_SERVE: Final = "This version has no web UI yet. Start it with --api to serve the OpenAI-compatible API."
_LINES_PER_LOAD: Final = 4


def main(argv: Sequence[str]) -> int:
    """Serve until a signal ends it. Returns the exit code: 0, or 2 for settings that cannot be used."""
    try:
        settings = parse(argv, os.environ)
        set_up_logging(verbose=settings.verbose, keys=settings.secrets)
        if not settings.api:
            raise SettingsError(_NOTHING_TO_SERVE)
        return _run(settings)
    except HelpRequested as request:
        print(request)
        return 0
    except SettingsError as error:
        print(error.message, file=sys.stderr)
        return _USAGE_ERROR


def _run(settings: Settings) -> int:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_until_signal(settings))


async def _until_signal(settings: Settings) -> int:
    """A signal that comes before or after the API takes care of signals ends the program in order too."""
    serving = asyncio.create_task(_serve(settings))
    with on_signals(serving.cancel):
        await asyncio.wait([serving])
    return 0 if serving.cancelled() else serving.result()


async def _serve(settings: Settings) -> int:
    async with Runtime(settings) as runtime:
        progress = asyncio.create_task(show_progress(runtime.models.changes(), sys.stderr))
        try:
            await serve_api(runtime)
        finally:
            progress.cancel()
            await asyncio.wait([progress])
    return 0


async def show_progress(changes: AsyncGenerator[ModelState, None], terminal: TextIO) -> None:
    """Write how far each load has come: one line that changes on a terminal, a few lines into a file."""
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
