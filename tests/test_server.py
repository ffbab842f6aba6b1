"""The front door: what it says to the operator, and how it starts and ends as a process."""

import asyncio
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests
from typing_extensions import override

from modules.models.state import ModelState, StateFeed, Status
from server import main, show_progress

ROOT = Path(__file__).resolve().parents[1]


class Terminal(io.StringIO):
    @override
    def isatty(self) -> bool:
        return True


def test_wrong_flag_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--api-prot", "5"]) == 2
    assert "--api-port" in capsys.readouterr().err


def test_help_lists_the_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "--ctx-size" in capsys.readouterr().out


def test_nothing_to_serve_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--user-data-dir", str(tmp_path), "--nowebui"]) == 2
    assert "--api" in capsys.readouterr().err


def test_unknown_model_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--user-data-dir", str(tmp_path), "--api", "--api-port", "0", "--model", "none.gguf"]) == 2
    assert "--model" in capsys.readouterr().err


async def shown(terminal: io.StringIO, *fractions: float) -> str:
    feed = StateFeed()
    showing = asyncio.create_task(show_progress(feed.changes(), terminal))
    for fraction in fractions:
        feed.publish(ModelState(status=Status.LOADING, name="m", progress=fraction))
        await asyncio.sleep(0)
    feed.publish(ModelState(status=Status.READY, name="m"))
    await asyncio.sleep(0)
    showing.cancel()
    await asyncio.wait([showing])
    return terminal.getvalue()


async def test_terminal_shows_one_line_that_changes() -> None:
    text = await shown(Terminal(), 0, 0.5, 1)
    assert text == "\rloading m:   0%\rloading m:  50%\rloading m: 100%\n"


async def test_log_file_gets_few_lines() -> None:
    lines = (await shown(io.StringIO(), *(number / 100 for number in range(101)))).splitlines()
    assert lines == [f"loading m: {percent:3d}%" for percent in (25, 50, 75, 100)]


@contextmanager
def running_server(folder: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "server.py", "--user-data-dir", str(folder), "--api", "--nowebui", "--api-port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen([*command, *flags], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        url = next(match.group() for line in process.stdout if (match := re.search(r"http://[\d.:]+/v1", line)))
        yield process, url
    finally:
        process.kill()
        process.communicate()


_RESTARTING = """
import asyncio


def setup(host):
    async def restart(runtime, announce):
        marker = runtime.data.root / "restarted"
        if not marker.exists():
            marker.touch()
            host.restart()
        announce("started once more")
        await asyncio.Event().wait()

    host.serve(restart)
"""


def add_extension(folder: Path, name: str, script: str) -> None:
    (folder / "extensions" / name).mkdir(parents=True)
    (folder / "extensions" / name / "script.py").write_text(script)


@pytest.mark.live
def test_a_broken_extension_does_not_keep_the_program_from_serving(tmp_path: Path) -> None:
    add_extension(tmp_path, "broken", "import a_package_that_nobody_has")
    with running_server(tmp_path, "--loader", "scripted", "--extensions", "broken") as (_, url):
        assert requests.get(f"{url}/models", timeout=20).status_code == 200


@pytest.mark.live
def test_a_restart_keeps_the_process_and_its_arguments(tmp_path: Path) -> None:
    add_extension(tmp_path, "again", _RESTARTING)
    with running_server(tmp_path, "--loader", "scripted", "--extensions", "again") as (process, _):
        assert process.stdout is not None
        url = next(line for line in process.stdout if "http" in line).split()[-1]
        assert requests.get(f"{url}/models", timeout=20).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


@pytest.mark.live
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_open_streams_and_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    with running_server(tmp_path, "--loader", "scripted") as (process, url):
        body = {"messages": [{"role": "user", "content": "stall"}], "stream": True}
        with requests.post(f"{url}/chat/completions", json=body, stream=True, timeout=20) as reply:
            lines = reply.iter_lines()
            assert next(lines).startswith(b"data: ")
            children = psutil.Process(process.pid).children(recursive=True)
            assert children
            process.send_signal(number)
            rest = list(lines)
        assert rest
        assert process.wait(timeout=10) == 0
    assert not any(child.is_running() for child in children)
