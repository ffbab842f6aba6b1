"""A program that has imported all of the server and its page, and forks a server for each line it reads.

A line is JSON: `arguments`, `log`, `variables`, `cores` and `folder`, where the status of a server that has ended is
written, named after its process. It answers with the id of the process.
"""

import gc
import importlib
import json
import os
import select
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import server
from modules.ui.shell.stubs import leave_out_stubs


def main() -> None:
    leave_out_stubs()
    importlib.import_module("modules.ui.server")
    # What is never collected is never written to, so that all servers share it.
    gc.freeze()
    ends, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, Path] = {}
    while True:
        ready, _, _ = select.select([sys.stdin, ends], [], [])
        if ends in ready:
            os.read(ends, 4096)
            note_ended(running)
        if sys.stdin in ready:
            if not (line := sys.stdin.readline()):
                return
            order = json.loads(line)
            pid = os.fork()
            if not pid:
                serve(order)
            running[pid] = Path(order["folder"])
            sys.stdout.write(f"{pid}\n")
            sys.stdout.flush()


def note_ended(running: dict[int, Path]) -> None:
    for pid in tuple(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            done = running.pop(pid) / str(pid)
            done.with_suffix(".part").write_text(str(os.waitstatus_to_exitcode(status)), encoding="utf-8")
            done.with_suffix(".part").rename(done)


def serve(order: Mapping[str, Any]) -> None:
    """In the new process, as if `server.py` had been started with the arguments."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.sched_setaffinity(0, order["cores"])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(order["variables"])
    sys.argv = [server.__file__, *order["arguments"]]
    sys.orig_argv = [sys.executable, *sys.argv]
    status = 1
    try:
        status = server.main(order["arguments"])
    except SystemExit as leave:
        status = leave.code if isinstance(leave.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Taking a program of this size apart takes a second that changes nothing.
        os._exit(status)


if __name__ == "__main__":
    main()
