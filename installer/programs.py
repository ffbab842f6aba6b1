"""Runs other programs: line by line with signs of life, quietly for a question, or in this process's place."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NoReturn

QUIET_AFTER = 5.0
"""Seconds without output after which `on_quiet` is called."""


class ProgramFailed(Exception):
    """A program ended with a non-zero status; `lines` is all that it printed."""

    def __init__(self, status: int, lines: Sequence[str]) -> None:
        super().__init__(f"exit status {status}")
        self.status = status
        self.lines = tuple(lines)


def _ignore(*_: str) -> None:
    """For programs whose output only matters when they fail."""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's variables without those that would lead the venv's Python or pip to other folders."""
    leading_away = {"PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV"}
    kept = {name: value for name, value in os.environ.items() if name not in leading_away}
    return {**kept, "PIP_USER": "0", "PYTHONIOENCODING": "utf-8", **(extra or {})}


def ask(command: Sequence[str | Path], *, seconds: float = 20.0) -> str | None:
    """What a program prints, or None when it is missing, fails or takes too long."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            env=environment(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def stream(
    command: Sequence[str | Path],
    *,
    log: Path,
    on_line: Callable[[str], None] = _ignore,
    on_quiet: Callable[[], None] = _ignore,
    variables: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> None:
    """Run a program, giving each line it prints to `on_line` and to the file `log`.

    Raises ProgramFailed when it ends badly. When this process is interrupted, the program and its children end first.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    printed: list[str] = []
    with log.open("w", encoding="utf-8") as kept, _start(command, variables, folder) as process:
        try:
            for line in _lines_of(process, on_quiet):
                kept.write(line + "\n")
                printed.append(line)
                on_line(line)
            status = process.wait()
        except BaseException:
            _end(process)
            raise
    if status:
        raise ProgramFailed(status, printed)


def become(command: Sequence[str | Path], variables: Mapping[str, str], folder: Path | None = None) -> NoReturn:
    """Go on as another program, with exactly these arguments; on Windows: run it and leave with its status."""
    arguments = [str(part) for part in command]
    sys.stdout.flush()
    if folder is not None:
        os.chdir(folder)
    if sys.platform == "win32":
        _become_parent_of(arguments, variables)
    else:
        os.execve(arguments[0], arguments, dict(variables))  # noqa: S606 - without a shell is the point


def _become_parent_of(arguments: Sequence[str], variables: Mapping[str, str]) -> NoReturn:
    process = subprocess.Popen(arguments, env=dict(variables))
    while True:
        try:
            sys.exit(process.wait())
        except KeyboardInterrupt:
            continue  # the console has told the child too; its own ending is the one that counts


def _start(
    command: Sequence[str | Path], variables: Mapping[str, str] | None, folder: Path | None
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=environment(variables),
        cwd=folder,
        process_group=None if sys.platform == "win32" else 0,
    )


def _lines_of(process: "subprocess.Popen[str]", on_quiet: Callable[[], None]) -> Iterator[str]:
    assert process.stdout is not None
    arriving: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_forward, args=(process.stdout, arriving), daemon=True).start()
    while True:
        try:
            line = arriving.get(timeout=QUIET_AFTER)
        except queue.Empty:
            on_quiet()
            continue
        if line is None:
            return
        yield line


def _forward(source: IO[str], target: "queue.SimpleQueue[str | None]") -> None:
    for line in source:
        target.put(line.rstrip())
    target.put(None)


def _end(process: "subprocess.Popen[str]") -> None:
    """End a program and, where the system has process groups, everything that it started (compilers, say)."""
    if sys.platform == "win32":
        process.terminate()
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
