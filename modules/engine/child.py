"""The parent's end of a model process: its pipes, its frames, its end."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, cast

from modules.engine import wire
from modules.engine.watch import Watch

_log = logging.getLogger(__name__)

_CLOSE_SECONDS: Final = 5.0


class Child(asyncio.SubprocessProtocol):
    """Starts a process and exchanges messages with it.

    `hear` gets each message in the callback that read its bytes: a token should not wait for a task's turn.
    `mourn` is called once, with the exit code, when the process is gone and all it said has been heard. `hang` is called
    at most once, with what is wrong, when it does not work on an answer that it `owes`; it has been killed then.
    """

    def __init__(
        self,
        *,
        hear: Callable[[wire.FromWorker], None],
        mourn: Callable[[int | None], None],
        owes: Callable[[], bool],
        hang: Callable[[str], None],
    ) -> None:
        self._hear = hear
        self._mourn = mourn
        self._hang = hang
        self._watch = Watch(ping=lambda: self._write(wire.Ping()), owes=owes, on_hang=self._on_hang)
        self._frames = wire.Frames()
        self._decoder = wire.unpack_from_worker()
        self._transport: asyncio.SubprocessTransport | None = None
        self._gone = asyncio.Event()
        self.is_closing = False
        self.is_hung = False

    async def start(self, command: Sequence[str], *, folder: Path) -> None:
        """Its stderr is ours."""
        try:
            await asyncio.get_running_loop().subprocess_exec(lambda: self, *command, stderr=None, cwd=folder)
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

    def send(self, message: wire.ToWorker) -> None:
        """Messages to a process that is gone are dropped; whoever waits for an answer hears of its end instead."""
        self._write(message)
        if self.is_running:
            self._watch.begin(self.pid)

    async def aclose(self) -> None:
        """Ask the process to end, and make it end if it does not within seconds."""
        if not self.is_running:
            return
        if not self.is_closing:
            self.is_closing = True
            self.send(wire.Close())
        try:
            await asyncio.wait_for(self._gone.wait(), _CLOSE_SECONDS)
        except TimeoutError:
            await self._end()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        try:
            for body in self._frames.feed(data):
                message = self._decoder.decode(body)
                if isinstance(message, wire.Pong):
                    self._watch.heard(message.work)
                else:
                    self._hear(message)
        except wire.Junk:
            _log.error("the model process sent something that is no message, and is ended")
            self._kill()

    def connection_lost(self, exc: Exception | None) -> None:
        exit_code = None
        # A start that was cancelled can end before it was made.
        if self._transport is not None:
            exit_code = self._transport.get_returncode()
            self._transport.close()
        self._gone.set()
        self._watch.end()
        self._mourn(exit_code)

    def _write(self, message: wire.ToWorker) -> None:
        pipe = self._stdin()
        if pipe is not None and not pipe.is_closing():
            pipe.write(wire.pack_to_worker(message))

    def _on_hang(self, trouble: str) -> None:
        self.is_hung = True
        self._kill()
        self._hang(trouble)

    async def _end(self) -> None:
        self._kill()
        try:
            await asyncio.wait_for(self._gone.wait(), _CLOSE_SECONDS)
        except TimeoutError:
            _log.error("the model process %d cannot be ended: it waits for a device", self.pid)

    def _stdin(self) -> asyncio.WriteTransport | None:
        if self._transport is None or self._gone.is_set():
            return None
        return cast("asyncio.WriteTransport | None", self._transport.get_pipe_transport(0))

    def _kill(self) -> None:
        if self._transport is not None and not self._gone.is_set():
            self._transport.kill()
