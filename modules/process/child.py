"""The parent's end of a child process: start, pipes, and the end of all that it started."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final, cast

import psutil

from modules.paths import PROGRAM_FOLDER
from modules.process.output import ErrorLog
from modules.process.spec import ProcessSpec

_log = logging.getLogger(__name__)

# A process that the child started may hold its pipes open after its end; what it says then is not waited for.
_LAST_OUTPUT_SECONDS: Final = 1.0
# SIGKILL takes effect at once, except in a system call of a device that hangs.
_KILL_SECONDS: Final = 5.0


class ChildProcess(asyncio.SubprocessProtocol):
    """A process with pipes as stdin, stdout and stderr.

    `on_output` gets each piece of stdout in the callback that read it: a token should not wait for a task's turn.
    `on_error_output` gets the pieces of stderr instead of the log.
    `on_exit` is called once, with the exit code, when the process is gone and its output was read.
    """

    def __init__(
        self,
        spec: ProcessSpec,
        *,
        on_output: Callable[[bytes], None],
        on_exit: Callable[[int | None], None],
        on_error_output: Callable[[bytes], None] | None = None,
    ) -> None:
        self.spec = spec
        self._on_output = on_output
        self._on_exit = on_exit
        self._errors = ErrorLog(spec.name, spec.error_output)
        self._on_error_output = on_error_output or self._errors.feed
        self._transport: asyncio.SubprocessTransport | None = None
        self._gone = asyncio.Event()
        self._last_output: asyncio.TimerHandle | None = None
        self.is_closing = False

    async def start(self) -> None:
        """Raises OSError where no process can be started."""
        spec = self.spec
        try:
            await asyncio.get_running_loop().subprocess_exec(
                lambda: self, *spec.launch_command, cwd=PROGRAM_FOLDER, env=dict(spec.environment)
            )
        except asyncio.CancelledError:
            # The event loop ends a process whose start was cancelled.
            self.is_closing = True
            raise

    @property
    def pid(self) -> int:
        assert self._transport is not None
        return self._transport.get_pid()

    @property
    def is_running(self) -> bool:
        return self._transport is not None and not self._gone.is_set()

    def write(self, data: bytes | bytearray) -> None:
        """What is written to a process that is gone is dropped; whoever waits for an answer hears of its end instead."""
        pipe = self._stdin()
        if pipe is not None and not pipe.is_closing():
            pipe.write(data)

    def terminate(self) -> None:
        """Ask a program to end, in the system's way."""
        if self._transport is not None and self.is_running:
            with suppress(ProcessLookupError):
                self._transport.terminate()

    def kill(self) -> None:
        """At once, with all that it started."""
        if self.is_running:
            kill_with_descendants(self.pid)

    async def until_gone(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._gone.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def aclose(self, ask: Callable[[], None]) -> None:
        """`ask` it to end, and make it end if it does not within `close_seconds`."""
        if not self.is_running:
            return
        if not self.is_closing:
            self.is_closing = True
            ask()
        if not await self.until_gone(self.spec.close_seconds):
            await self.end()

    async def end(self) -> None:
        """Kill it and wait until it is gone, even where the caller is cancelled."""
        self.is_closing = True
        self.kill()
        if self.is_running and not await asyncio.shield(self.until_gone(_KILL_SECONDS)):
            _log.error("%s (process %d) cannot be ended: it waits for a device", self.spec.name, self.pid)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1:
            self._on_output(data)
        else:
            self._on_error_output(data)

    def process_exited(self) -> None:
        """What it left behind in its group goes too; then its pipes close by themselves."""
        assert self._transport is not None
        _kill_group(self._transport.get_pid())
        self._last_output = asyncio.get_running_loop().call_later(_LAST_OUTPUT_SECONDS, self._finish)

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()

    def _finish(self) -> None:
        if self._gone.is_set():
            return
        if self._last_output is not None:
            self._last_output.cancel()
        exit_code = None
        # A start that was cancelled can end before it was made.
        if self._transport is not None:
            exit_code = self._transport.get_returncode()
            self._transport.close()
        self._gone.set()
        self._errors.end()
        self._on_exit(exit_code)

    def _stdin(self) -> asyncio.WriteTransport | None:
        if self._transport is None or self._gone.is_set():
            return None
        return cast("asyncio.WriteTransport | None", self._transport.get_pipe_transport(0))


def kill_with_descendants(pid: int) -> None:
    """The process, all that came from it, whatever group it is in, and its group."""
    started: list[psutil.Process] = []
    with suppress(psutil.Error):
        started = psutil.Process(pid).children(recursive=True)
    with suppress(ProcessLookupError, PermissionError):
        # On Windows this ends the process, whose job ends the others.
        os.kill(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
    _kill_group(pid)
    for process in started:
        with suppress(psutil.Error):
            process.kill()


def _kill_group(leader: int) -> None:
    """A leader that has ended leaves its number to the group for as long as that has members. Without any, there is no
    such group, for the system gives a number to a new process only after a full round."""
    if sys.platform != "win32":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
