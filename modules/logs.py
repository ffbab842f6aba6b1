"""The log: short lines on standard error without access keys, and announcements on standard output.

A stream that cannot be written ends nothing.
"""

import logging
import os
import sys
from collections.abc import Iterable
from typing import TextIO

_STDOUT = 1
# Libraries log at WARNING only: at INFO they write addresses and parts of requests.
OWN_LOGGERS = ("modules", "extensions", "server", "__main__")

_COLOURS = {logging.DEBUG: "2", logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "1;31"}
# A terminal obeys them, and a line break would forge a line of the log.
_CONTROL_CHARACTERS = {code: ascii(chr(code))[1:-1] for code in (*range(32), *range(127, 160))}


class RedactKeys(logging.Filter):
    """Replaces every one of `keys` in a record's message and traceback; attach it to a handler. Drops no record."""

    replacement = "[key]"

    def __init__(self, keys: Iterable[str]) -> None:
        super().__init__()
        self._keys: list[str] = []
        for key in keys:
            self.add(key)

    def add(self, key: str) -> None:
        """One more to be replaced from now on."""
        # The longest goes first, or a key that begins with another one would leave its tail behind.
        self._keys = sorted({*self._keys, key} - {""}, key=len, reverse=True)

    def filter(self, record: logging.LogRecord) -> bool:
        if self._keys:
            record.msg, record.args = self._redacted(record.getMessage()), ()
            if record.exc_info:
                record.exc_text = self._redacted(logging.Formatter().formatException(record.exc_info))
            if record.stack_info:
                record.stack_info = self._redacted(record.stack_info)
        return True

    def _redacted(self, text: str) -> str:
        for key in self._keys:
            text = text.replace(key, self.replacement)
        return text


class LineFormatter(logging.Formatter):
    """`12:34:56 WARNING message`, one line per record but for tracebacks.

    Control characters in the message are written as escapes, so text from a client cannot forge lines or colours.
    """

    def __init__(self, *, coloured: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
        self._coloured = coloured

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the standard library's name
        record.message = record.message.translate(_CONTROL_CHARACTERS)
        line = super().formatMessage(record)
        colour = _COLOURS.get(record.levelno) if self._coloured else None
        return f"\x1b[{colour}m{line}\x1b[0m" if colour else line


class ConsoleHandler(logging.StreamHandler[TextIO]):
    """The handler that `set_up_logging` installs; its type tells it from handlers of others."""


def open_standard_streams() -> None:
    """Give each standard stream that is closed a place to go. Otherwise the next files and pipes that are opened would be
    taken for them, by this process and by each of its children."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - as long as the program


def announce(line: str) -> None:
    """Write a line on standard output. One that cannot be written to, being full or unread, is left alone from
    then on."""
    try:
        print(line, flush=True)  # noqa: T201 - this is what it is for
    except OSError:
        # What is left in the buffer is written once more at the end.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDOUT)
        os.close(nowhere)


def set_up_logging(*, verbose: bool = False, keys: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Send the log to `stream` (standard error by default), without `keys`; calling it again replaces the set-up.

    The program's own loggers show INFO and above, with `verbose` DEBUG too; libraries only warnings and errors.
    """
    target = stream or sys.stderr
    handler = ConsoleHandler(target)
    handler.setFormatter(LineFormatter(coloured=target.isatty() and not os.environ.get("NO_COLOR")))
    handler.addFilter(RedactKeys(keys))
    root = logging.getLogger()
    for earlier in [handler for handler in root.handlers if isinstance(handler, ConsoleHandler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.INFO)


def redact_key(key: str) -> None:
    """From now on the log has no `key` either: one that was entered while the program runs."""
    for handler in logging.getLogger().handlers:
        for each in handler.filters:
            if isinstance(each, RedactKeys):
                each.add(key)
