"""Servers without the seconds that imports take: they are forked from a process that has all imported."""

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Final

from tests.live.server import ROOT, LiveServer, launch, surroundings

_POLL_SECONDS: Final = 0.01


class Warm:
    """The process that forks; it ends when its input does, with this one at the latest."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.browser.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=surroundings(),
            text=True,
            start_new_session=True,
        )

    def start(self, arguments: list[str], log: Path) -> "Forked":
        order = {
            "arguments": arguments,
            "log": str(log),
            "variables": surroundings(),
            "cores": sorted(os.sched_getaffinity(0)),
            "folder": self._folder.name,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Forked(int(self._process.stdout.readline()), Path(self._folder.name))

    def close(self) -> None:
        self._process.communicate()
        self._folder.cleanup()


class Forked:
    """A server process, handled as `subprocess.Popen` is: it is no child of this process."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.pid = pid
        self._status = folder / str(pid)
        self._ended = os.pidfd_open(pid)

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        return int(self._status.read_text(encoding="utf-8")) if self._status.exists() else None

    def wait(self, timeout: float | None = None) -> int:
        """Raises TimeoutError."""
        if (known := self.poll()) is not None:
            return known
        deadline = time.monotonic() + (60 if timeout is None else timeout)
        select.select([self._ended], [], [], deadline - time.monotonic())
        while (status := self.poll()) is None:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"process {self.pid} has not ended")
            time.sleep(_POLL_SECONDS)
        os.close(self._ended)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        signal.pidfd_send_signal(self._ended, number)


@cache
def _warm() -> Warm:
    made = Warm()
    atexit.register(made.close)
    return made


def warm_launch(folder: Path, *flags: object) -> LiveServer:
    """As `launch`: a server with the API and whatever `flags` say."""
    if not hasattr(os, "pidfd_open"):
        return launch(folder, *flags)
    log = folder / "server.log"
    # Whoever waits for what this server announces must not read what one before it has.
    log.write_bytes(b"")
    usual = ("--api", "--api-port", 0, "--user-data-dir", folder, "--no-self-test")
    return LiveServer(_warm().start([*map(str, (*usual, *flags))], log), log)
