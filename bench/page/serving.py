"""The program that serves the page, and the chats that it finds."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from bench.servers import ROOT, THREADS, free_port

_SCRIPTED: Final = ("--loader", "scripted", "--ctx-size", "1000000")
MESSAGES: Final = 200
_PARAGRAPH: Final = "Some words with **weight** and `code`, enough of them to fill a line or two of the page. " * 4
_CODE: Final = "\n```python\ndef f(x: int) -> int:\n    return x + 1\n```\n"


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    value: float
    unit: str
    goal: str


@dataclass(frozen=True, slots=True)
class Server:
    """`api` is what comes before the API's paths, where it was asked for."""

    url: str
    process: psutil.Process
    api: str = ""

    @property
    def cpu_seconds(self) -> float:
        """Without the model, which is a process of its own."""
        times = self.process.cpu_times()
        return times.user + times.system

    @property
    def megabytes(self) -> float:
        """What would be free if it ended."""
        return float(self.process.memory_full_info().uss) / 1e6


def _real(model: Path, api_port: int) -> list[str]:
    where = ["--model-dir", str(model.parent.resolve()), "--model", model.name]
    # The browser needs a core for itself: what is compared is what it tells, not what it leaves.
    return [*where, "--api", "--api-port", str(api_port), "--threads", str(max(1, THREADS - 1)), "--ctx-size", "4096"]


@contextmanager
def serving(folder: Path, checkout: Path = ROOT, model: Path | None = None) -> Iterator[Server]:
    """The page over the scripted backend, or over a model with the API beside it, once it answers."""
    port, api_port = free_port(), free_port()
    command = [sys.executable, "server.py", "--user-data-dir", str(folder), "--listen-port", str(port)]
    process = subprocess.Popen(
        [*command, *(_SCRIPTED if model is None else _real(model, api_port))],
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        while "Web UI" not in process.stdout.readline():
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with code {process.returncode}")
        yield Server(f"http://127.0.0.1:{port}/", psutil.Process(process.pid), f"http://127.0.0.1:{api_port}/v1")
    finally:
        process.terminate()
        process.wait()


def write_long_chat(folder: Path) -> None:
    """A chat of 200 messages, which is the one that the page opens."""
    words = [_PARAGRAPH + (_CODE if number % 10 == 0 else "") for number in range(MESSAGES // 2)]
    _write(folder / "logs" / "instruct" / "long.json", [["A question.", text] for text in words])
    (folder / "logs" / "chat_state.json").write_text(json.dumps({"last_chats": {"instruct": "long"}}), "utf-8")


def write_many_chats(folder: Path, count: int) -> None:
    for number in range(count):
        name = f"2025{1 + number // 2500:02}{1 + number // 90 % 28:02}-{number % 24:02}-{number % 60:02}-{number:05}"
        _write(folder / "logs" / "instruct" / f"{name}.json", [[f"Question {number}", f"Answer {number} " * 20]])


def _write(file: Path, rows: list[list[str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"internal": rows, "visible": rows}), "utf-8")
