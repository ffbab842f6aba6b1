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

from bench.servers import ROOT, free_port

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
    url: str
    process: psutil.Process

    @property
    def cpu_seconds(self) -> float:
        """Without the model, which is a process of its own."""
        times = self.process.cpu_times()
        return times.user + times.system

    @property
    def megabytes(self) -> float:
        """What would be free if it ended."""
        return float(self.process.memory_full_info().uss) / 1e6


@contextmanager
def serving(folder: Path, checkout: Path = ROOT) -> Iterator[Server]:
    """The page over the scripted backend, once it answers."""
    port = free_port()
    command = [sys.executable, "server.py", "--user-data-dir", str(folder), "--listen-port", str(port)]
    process = subprocess.Popen(
        [*command, "--loader", "scripted", "--ctx-size", "1000000"],
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
        yield Server(f"http://127.0.0.1:{port}/", psutil.Process(process.pid))
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
