"""A program of somebody else's: its output is read while it runs, and it ends with its owner."""

import asyncio
from collections import deque
from types import TracebackType
from typing import Final

from modules.process.child import ChildProcess
from modules.process.output import Lines
from modules.process.spec import ErrorOutput, ProcessSpec

# A program must never wait for somebody to read it; of more unread lines than these, the oldest are dropped.
_BACKLOG: Final = 1000


class SupervisedProgram:
    """`async with SupervisedProgram(spec)`: starts it, raising OSError, and ends it with all that it started, first by
    asking, after `close_seconds` by force."""

    def __init__(self, spec: ProcessSpec) -> None:
        self._lines: deque[str] = deque(maxlen=_BACKLOG)
        self._reader = Lines(self._put)
        self._news = asyncio.Event()
        # Of its own: a line of one must not begin with half a line of the other.
        self._error_reader = Lines(self._put)
        self._process = ChildProcess(
            spec,
            on_output=self._reader.feed,
            on_exit=self._on_exit,
            on_error_output=self._error_reader.feed if spec.error_output is ErrorOutput.OUTPUT else None,
        )
        self.exit_code: int | None = None
        self._is_over = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.is_running

    async def next_line(self) -> str | None:
        """The oldest line that was not read, waiting for one; None when the program has ended."""
        while not self._lines:
            if self._is_over:
                return None
            self._news.clear()
            await self._news.wait()
        return self._lines.popleft()

    async def __aenter__(self) -> "SupervisedProgram":
        await self._process.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._process.aclose(self._process.terminate)

    def _put(self, line: str) -> None:
        self._lines.append(line)
        self._news.set()

    def _on_exit(self, exit_code: int | None) -> None:
        self._reader.end()
        self._error_reader.end()
        self.exit_code, self._is_over = exit_code, True
        self._news.set()
