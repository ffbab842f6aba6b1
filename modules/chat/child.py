"""One question to a process of its own, which is killed when it takes too long, says too much or is no longer wanted."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from modules.paths import PROGRAM_FOLDER

_PIECE: Final = 2**16
_END_SECONDS: Final = 2.0
# What a program needs to run at all, and nothing of the server's keys.
_NEEDED: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TZ", "PYTHONHOME", "TMPDIR", "TEMP")


class ChildTooSlow(Exception):
    """The process did not answer in time."""


class ChildTooLoud(Exception):
    """The answer is longer than it may be."""


class ChildDied(Exception):
    """The process ended without an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The most a process may take, in seconds, and say, in bytes."""

    seconds: float
    answer_bytes: int


async def ask_child(
    module: str, question: bytes, bounds: Bounds, *, environment: Mapping[str, str] | None = None
) -> bytes:
    """What `python -m module` writes to stdout about `question` on its stdin. Without `environment`, it gets no
    variables but those that any program needs. Raises ChildTooSlow, ChildTooLoud, ChildDied; being cancelled ends it."""
    process = await asyncio.create_subprocess_exec(
        *_command(module),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        cwd=PROGRAM_FOLDER,
        env=bare_environment() if environment is None else environment,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(bounds.seconds):
            _, answer = await asyncio.gather(_tell(process, question), _hear(process, bounds.answer_bytes))
            exit_code = await process.wait()
    except TimeoutError:
        raise ChildTooSlow from None
    finally:
        await _end(process)
    if exit_code:
        raise ChildDied
    return answer


def bare_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _NEEDED if name in os.environ}


def _command(module: str) -> Sequence[str]:
    return sys.executable, "-m", module


async def _tell(process: Process, question: bytes) -> None:
    assert process.stdin is not None
    # Who has heard enough may leave before the end.
    with suppress(ConnectionError):
        process.stdin.write(question)
        await process.stdin.drain()
    process.stdin.close()


async def _hear(process: Process, most: int) -> bytes:
    assert process.stdout is not None
    answer = bytearray()
    while piece := await process.stdout.read(_PIECE):
        answer += piece
        if len(answer) > most:
            raise ChildTooLoud
    return bytes(answer)


async def _end(process: Process) -> None:
    """What it started goes with it."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            _kill(process.pid)
    # A pipe that somebody else holds open would make this wait for him.
    with suppress(TimeoutError):
        await asyncio.shield(asyncio.wait_for(process.wait(), _END_SECONDS))
    # Nor is it ever closed by itself then; there is no public way.
    process._transport.close()  # type: ignore[attr-defined]


def _kill(pid: int) -> None:
    if sys.platform == "win32":
        os.kill(pid, signal.SIGTERM)
    else:
        os.killpg(pid, signal.SIGKILL)
