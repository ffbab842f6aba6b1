"""The first code of every child: it ties its life to the parent's and takes its limits.

Arguments: parent, folder and limits as JSON, then "run" and an entry, or "exec" and a program with its arguments.
"""

import ctypes
import importlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NoReturn

from modules.process.limits import ProcessLimits

if sys.platform == "win32":
    import subprocess

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
# Orphans of this child's programs become its own, so that they can be ended with it.
_PR_SET_CHILD_SUBREAPER: Final = 36
# What a shell answers for a program that does not exist.
_COMMAND_NOT_FOUND: Final = 127


def main(arguments: Sequence[str]) -> None:
    options = json.loads(arguments[0])
    _tie_to(options.pop("parent"))
    os.chdir(options.pop("folder"))
    ProcessLimits(**options).apply()
    if arguments[1] == "exec":
        _become(list(arguments[2:]))
    # Ctrl-C in a terminal is the parent's to act on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    module, _, function = arguments[2].partition(":")
    getattr(importlib.import_module(module), function)()


def _tie_to(parent: int) -> None:
    """Leads a process group, so that what it starts can be killed with it. On Linux the kernel kills it when its parent
    dies, even while it is stopped or stuck in a library; elsewhere the end of its stdin tells it. There, too, processes
    that lost their parent become children of this one, where they are found."""
    if sys.platform == "win32":
        return
    with suppress(PermissionError):
        os.setpgid(0, 0)
    if sys.platform == "linux":
        system = ctypes.CDLL(None)
        system.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        system.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != parent:
        # It died before it could be heard of.
        os._exit(0)


def _become(command: list[str]) -> NoReturn:
    if sys.platform == "win32":
        # There, exec would leave the parent with a process that has ended. The job ends the program with this process.
        sys.exit(subprocess.run(command, check=False).returncode)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the program that the parent named
    except OSError as error:
        print(f"ERROR {command[0]} cannot be started: {error.strerror}", file=sys.stderr)  # noqa: T201 - there is no log yet
        os._exit(_COMMAND_NOT_FOUND)


if __name__ == "__main__":
    main(sys.argv[1:])
