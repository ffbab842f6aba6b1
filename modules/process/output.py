"""What a child writes as text: lines, put together from pieces of any length."""

import logging
import re
from collections.abc import Callable
from typing import Final

from modules.process.spec import ErrorOutput

_log = logging.getLogger(__name__)
# A child that writes without line breaks must not fill the memory.
_MAX_LINE_BYTES: Final = 2000
_LEVEL: Final = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL) ")


class Lines:
    """Gives each line to `on_line`, without its end and cut after 2,000 bytes."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, rest = data.split(b"\n")
        if lines:
            self._emit(self._rest + lines[0])
            for line in lines[1:]:
                self._emit(line)
            self._rest = b""
        self._rest = (self._rest + rest)[:_MAX_LINE_BYTES]

    def end(self) -> None:
        if self._rest:
            self._emit(self._rest)
            self._rest = b""

    def _emit(self, line: bytes) -> None:
        self._on_line(line[:_MAX_LINE_BYTES].rstrip(b"\r").decode("utf-8", "replace"))


class ErrorLog:
    """A child's stderr. Lines keep the level that Python's logging wrote at their beginning; others are warnings."""

    def __init__(self, name: str, kind: ErrorOutput) -> None:
        self._name = name
        self._is_shown = kind is ErrorOutput.LOG
        self._count = 0
        self._lines = Lines(self._on_line)

    def feed(self, data: bytes) -> None:
        self._lines.feed(data)

    def end(self) -> None:
        self._lines.end()
        if self._count and not self._is_shown:
            _log.debug("%s wrote %d lines to its standard error", self._name, self._count)

    def _on_line(self, line: str) -> None:
        self._count += 1
        if self._is_shown and line.strip():
            named = _LEVEL.match(line)
            level = logging.getLevelNamesMapping()[named[1]] if named else logging.WARNING
            _log.log(level, "%s: %s", self._name, line[named.end() :] if named else line)
