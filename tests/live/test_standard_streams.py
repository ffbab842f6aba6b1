"""A server that nobody talks to and that can tell nobody anything still serves."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx
import pytest

from tests.live.client import CHAT
from tests.live.server import ROOT
from tests.live.test_front_door import free_port

pytestmark = pytest.mark.live

CLOSED = {"stdin": (0,), "all": (0, 1, 2)}


@contextmanager
def started(folder: Path, port: int, *, closed: tuple[int, ...] = (), stdout: IO[str] | None = None) -> Iterator[None]:
    flags = ["--nowebui", "--api", "--api-port", str(port), "--loader", "scripted", "--user-data-dir", str(folder)]
    closing = " ".join(f"{number}>&-" for number in closed)
    command = ["/bin/sh", "-c", f'exec "$0" "$@" {closing}', sys.executable, str(ROOT / "server.py"), *flags]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, cwd=ROOT, stdout=stdout or log, stderr=log) as run,
    ):
        try:
            yield
        finally:
            run.terminate()
        assert run.wait(20) == 0, (folder / "log").read_text()
    assert "Traceback" not in (folder / "log").read_text()


def said(port: int) -> str:
    transport = httpx.HTTPTransport(retries=100)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=60, trust_env=False) as http:
        answer = http.post(CHAT, json={"messages": [{"role": "user", "content": "echo: hello"}]})
    return str(answer.json()["choices"][0]["message"]["content"])


@pytest.mark.parametrize(
    "closed",
    [pytest.param(CLOSED["stdin"], id="stdin", marks=pytest.mark.extended), pytest.param(CLOSED["all"], id="all")],
)
def test_streams_may_be_closed(tmp_path: Path, closed: tuple[int, ...]) -> None:
    port = free_port()
    with started(tmp_path, port, closed=closed):
        assert said(port) == "hello"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")
def test_output_may_be_full(tmp_path: Path) -> None:
    port = free_port()
    with Path("/dev/full").open("w") as full, started(tmp_path, port, stdout=full):
        assert said(port) == "hello"


def test_output_may_be_read_by_nobody(tmp_path: Path) -> None:
    port = free_port()
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe, started(tmp_path, port, stdout=pipe):
        assert said(port) == "hello"
