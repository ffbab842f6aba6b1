"""The real server as a process of its own: started, waited for, watched from outside, and ended without a trace."""

import asyncio
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

import httpx
import psutil

from tests.model_files import SMOLLM2, model_path

ROOT: Final = Path(__file__).resolve().parents[2]
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.02
_ANNOUNCED: Final = re.compile(r"OpenAI-compatible API: (\S+)/v1$", re.MULTILINE)
_MIB: Final = 2**20
T = TypeVar("T")


class ServerProcess(Protocol):
    """What is used of a `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: signal.Signals, /) -> None: ...


@dataclass(frozen=True, slots=True)
class LiveServer:
    """A running `server.py` that leads a session of its own, so that no process it ever started gets out of sight."""

    process: ServerProcess
    log_file: Path

    @property
    def log(self) -> str:
        """All that the server and its model processes have written to stdout and stderr."""
        return self.log_file.read_text(encoding="utf-8")

    @property
    def urls(self) -> list[str]:
        """Every address it has announced, without /v1."""
        return _ANNOUNCED.findall(self.log)

    @property
    def url(self) -> str:
        return self.urls[0]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(
        self, *, headers: Mapping[str, str] | None = None, trust: ssl.SSLContext | bool = False
    ) -> httpx.AsyncClient:
        """Opens as many connections as the test likes, with no proxy in between. `trust` matters for HTTPS only."""
        unlimited = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        return httpx.AsyncClient(
            base_url=self.url, headers=headers, verify=trust, timeout=90, limits=unlimited, trust_env=False
        )

    def processes(self) -> list[psutil.Process]:
        """Everything that came from this start and still is in the process table, zombies and orphans too."""
        return list(_session(self.process.pid))

    def model_process(self) -> psutil.Process:
        """The one model process there is."""
        (found,) = (process for process in self.processes() if process.pid != self.process.pid)
        return found

    def cpu_seconds(self) -> float:
        """Spent by all its processes so far."""
        times = [process.cpu_times() for process in self.processes()]
        return float(sum(each.user + each.system for each in times))

    def memory_mib(self) -> float:
        """Of all its processes, without what is only mapped from files."""
        return sum(_anonymous_bytes(process) for process in self.processes()) / _MIB

    def send_signal(self, number: signal.Signals, *, to_group: bool = False) -> None:
        """To the server alone, as `kill` does, or to all its processes, as a terminal or a service manager does."""
        if to_group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    async def exit_code(self) -> int:
        """Waits for the end of the server."""
        return int(await asyncio.to_thread(self.process.wait, STOP_SECONDS))

    async def until_listening(self) -> None:
        await self.until(lambda: self.urls if self._is_running() else None)

    async def until_healthy(self) -> None:
        async with self.client() as http:
            while (await http.get("/health")).status_code != 200:
                assert self._is_running()
                await asyncio.sleep(_POLL_SECONDS)

    async def until_gone(self) -> None:
        """Until nothing of it is left in the process table; who lost his parent is removed by the system, a bit later."""
        await self.until(lambda: not self.processes(), STOP_SECONDS)

    async def until(self, condition: Callable[[], T], seconds: float = START_SECONDS) -> T:
        """What `condition` returns once that is true. Polled, because other processes send no events."""
        deadline = time.monotonic() + seconds
        while not (outcome := condition()):
            assert time.monotonic() < deadline, f"nothing happened for {seconds} s. The log:\n{self.log}"
            await asyncio.sleep(_POLL_SECONDS)
        return outcome

    async def stop(self) -> None:
        """Ends a server that still runs; afterwards nothing of it may be left."""
        if self.process.poll() is None:
            self.send_signal(signal.SIGTERM)
            assert await self.exit_code() == 0, self.log
        await self.until_gone()

    def kill(self) -> None:
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def _is_running(self) -> bool:
        """True; a server that ended by itself fails the test."""
        assert self.process.poll() is None, f"the server ended with code {self.process.returncode}:\n{self.log}"
        return True


@asynccontextmanager
async def starting_server(
    folder: Path, *flags: object, variables: Mapping[str, str] | None = None
) -> AsyncIterator[LiveServer]:
    """A server with SmolLM2 once it listens, perhaps before the model is loaded; `flags` come after the usual ones."""
    server = start(folder, *flags, variables=variables)
    try:
        await server.until_listening()
        yield server
        await server.stop()
    finally:
        server.kill()


@asynccontextmanager
async def live_server(
    folder: Path, *flags: object, variables: Mapping[str, str] | None = None
) -> AsyncIterator[LiveServer]:
    """A server with SmolLM2 that is ready to answer."""
    async with starting_server(folder, *flags, variables=variables) as server:
        await asyncio.wait_for(server.until_healthy(), START_SECONDS)
        yield server


def start(folder: Path, *flags: object, variables: Mapping[str, str] | None = None) -> LiveServer:
    """`folder` becomes the user data folder; the port is left to the system."""
    model = model_path(SMOLLM2)
    usual = ("--nowebui", "--model-dir", model.parent, "--model", model.name, "--ctx-size", 4096, "--threads", 1)
    return launch(folder, *usual, *flags, variables=variables)


def launch(folder: Path, *flags: object, variables: Mapping[str, str] | None = None) -> LiveServer:
    """A server with the API and whatever `flags` say."""
    usual = ("--api", "--api-port", 0, "--user-data-dir", folder, "--no-self-test")
    log_file = folder / "server.log"
    with log_file.open("w") as log:
        process = psutil.Popen(
            [sys.executable, str(ROOT / "server.py"), *map(str, (*usual, *flags))],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=surroundings(variables),
            start_new_session=True,
        )
    return LiveServer(process, log_file)


def surroundings(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without the variables that would be settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENEDAI_")}
    return {**kept, **(variables or {})}


def _session(leader: int) -> Iterator[psutil.Process]:
    for pid in psutil.pids():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(pid) == leader:
                yield psutil.Process(pid)


def _anonymous_bytes(process: psutil.Process) -> int:
    memory = process.memory_info()
    return int(memory.rss - memory.shared)
