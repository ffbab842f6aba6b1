"""What a person sees of the set-up: numbered steps, lines under them, and one changing status line."""

import sys
import time
from typing import TextIO

STATUS_EVERY = 10.0
"""Seconds between status lines where lines cannot be overwritten (a log file, CI)."""


class Console:
    """Prints progress with the time since the current step began. On a terminal the status overwrites itself."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._is_terminal = self._stream.isatty()
        self._step_began = time.monotonic()
        self._doing = ""
        self._status_shown = 0.0
        self._status_width = 0

    def step(self, number: int, count: int, title: str) -> None:
        self._step_began = time.monotonic()
        self._doing = ""
        self._print(f"[{number}/{count}] {title}")

    def line(self, text: str) -> None:
        self._print(f"  {self.elapsed():4.0f} s  {text}")

    def plain(self, text: str = "") -> None:
        self._print(text)

    def status(self, text: str) -> None:
        """Show what is going on right now; it may be left out when a status was shown moments ago."""
        now = time.monotonic()
        self._doing = text
        if self._is_terminal:
            shown = f"  {self.elapsed():4.0f} s  {text}"[:78]
            self._stream.write(f"\r{shown:<{self._status_width}}")
            self._stream.flush()
            self._status_width = len(shown)
        elif now - self._status_shown >= STATUS_EVERY:
            self._status_shown = now
            self.line(text)

    def still(self) -> None:
        """Show that it goes on, where nothing new can be told."""
        self.status(self._doing or "still working ...")

    def elapsed(self) -> float:
        """Seconds since the current step began."""
        return time.monotonic() - self._step_began

    def _print(self, text: str) -> None:
        if self._status_width:
            self._stream.write("\r" + " " * self._status_width + "\r")
            self._status_width = 0
        self._stream.write(text + "\n")
        self._stream.flush()
