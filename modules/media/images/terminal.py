"""How far a drawing is, on one line of the terminal that is written over and over."""

import sys
from typing import Final, TextIO

from modules.media.images.jobs import ImageJob

_WIDTH: Final = 24
# Erases the rest of the line: what stood there may have been longer.
_ERASE: Final = "\x1b[K"


class TerminalProgress:
    """Writes to a terminal only; in files and pipes each step would be a line. Nothing of the prompt is shown."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream

    def show(self, job: ImageJob) -> None:
        """To be called when the job has advanced."""
        if self._stream.isatty():
            self._stream.write(f"\r{line_of(job)}{_ERASE}")
            self._stream.flush()

    def end(self) -> None:
        """The line is left empty for what comes next."""
        if self._stream.isatty():
            self._stream.write(f"\r{_ERASE}")
            self._stream.flush()


def line_of(job: ImageJob) -> str:
    done = round(job.share * _WIDTH)
    bar = "█" * done + "░" * (_WIDTH - done)
    picture = f"picture {min(job.index + 1, job.count)} of {job.count}"
    return f"drawing {bar} {picture}, step {job.step} of {job.steps}"
