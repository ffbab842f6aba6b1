"""What to start, and what it may take."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from modules.paths import PROGRAM_FOLDER
from modules.process.frames import MAX_FRAME_BYTES
from modules.process.limits import ProcessLimits

# Room for the largest attachments; a length beyond it is a damaged stream.
# What any program needs to run at all; nothing of the server's.
_HARMLESS: Final = (
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SYSTEMROOT",
    "PYTHONHOME",
    "TMPDIR",
    "TEMP",
    "TMP",
    "TZ",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
)


def harmless_environment() -> dict[str, str]:
    """Those of this process's variables that may be given to any child. No keys, no settings, no user's name."""
    return {name: os.environ[name] for name in _HARMLESS if name in os.environ}


class ErrorOutput(StrEnum):
    """What becomes of a child's stderr, which is always read.

    LOG writes its lines to the log. COUNT is for children that see what users write: the log says how many lines there
    were, not what they say. OUTPUT treats them as lines of stdout.
    """

    LOG = "log"
    COUNT = "count"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """A child process. Either `entry`, a function of this program as "package.module:function", or `command`, a program
    with its arguments.

    `name` is what the log and errors call it. `environment` is everything it gets, by default what any program needs.
    A frame of more than `max_frame_bytes`, either way, is refused. `start_seconds` bound the time until it is ready to
    be asked; `close_seconds` the time that it has to end when asked to. A question that was cancelled is given
    `cancel_seconds` to stop before the process is killed: 0 kills it at once, None lets it finish. With `counts_work` the
    seconds that a question may take are those of the processor.
    """

    name: str
    entry: str = ""
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=harmless_environment, repr=False)
    folder: Path = PROGRAM_FOLDER
    limits: ProcessLimits = field(default_factory=ProcessLimits)
    error_output: ErrorOutput = ErrorOutput.COUNT
    max_frame_bytes: int = MAX_FRAME_BYTES
    start_seconds: float = 60.0
    close_seconds: float = 5.0
    cancel_seconds: float | None = None
    counts_work: bool = False

    @property
    def launch_command(self) -> tuple[str, ...]:
        """To be run in the program's own folder: starts `modules.process.__main__`, which applies the limits before
        anything else of the child is read, and goes to the child's `folder`."""
        what = ("run", self.entry) if self.entry else ("exec", *self.command)
        options = json.dumps({"parent": os.getpid(), "folder": str(self.folder), **asdict(self.limits)})
        return sys.executable, "-m", "modules.process", options, *what
