"""A child that answers: each question is a thing that children do, well or badly."""

import ctypes
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from modules.errors import Busy
from modules.process.server import Task, serve


class Do(msgspec.Struct, frozen=True):
    what: str
    number: int = 0
    data: bytes = b""


class Done(msgspec.Struct, frozen=True):
    number: int = 0
    data: bytes = b""


def run() -> None:
    serve(answers, questions=Do)


def run_without_reading() -> None:
    """Starts, and hangs before it can be asked."""
    threading.Event().wait()


def answers(question: Do, task: Task) -> Iterator[Done]:
    yield from WAYS[question.what](question, task)


def echo(question: Do, _: Task) -> Iterator[Done]:
    yield Done(question.number, question.data)


def count(question: Do, _: Task) -> Iterator[Done]:
    yield from map(Done, range(question.number))


def nothing(_: Do, __: Task) -> Iterator[Done]:
    yield from ()


def grow(_question: Do, _task: Task) -> Iterator[Done]:
    kept = [b"\1" * 2**20 for _ in itertools.count()]
    yield Done(len(kept))


def stay_with_grandchildren(_: Do, __: Task) -> Iterator[Done]:
    yield from grandchildren()
    threading.Event().wait()


def hang(_: Do, __: Task) -> Iterator[Done]:
    ctypes.CDLL(None).pause()
    yield Done()


def hang_with_the_lock(_: Do, __: Task) -> Iterator[Done]:
    ctypes.PyDLL(None).pause()
    yield Done()


def wait(_: Do, task: Task) -> Iterator[Done]:
    while not task.is_cancelled():
        time.sleep(0.001)
    yield Done()


def nap(question: Do, task: Task) -> Iterator[Done]:
    """That many milliseconds of its own time."""
    for _ in range(question.number):
        time.sleep(0.001)
        task.advance()
    yield Done(question.number)


def spin(_question: Do, task: Task) -> Iterator[Done]:
    for _ in itertools.count():
        task.advance()
    yield Done()


def fail(_: Do, __: Task) -> Iterator[Done]:
    raise ValueError("what the user wrote")


def be_busy(_: Do, __: Task) -> Iterator[Done]:
    raise Busy("later", retry_after=7)


def send_half_a_frame(_: Do, __: Task) -> Iterator[Done]:
    os.write(pipe_to_parent(), b"\0\0\1\0\2\0\0")
    os._exit(0)


def write(question: Do, _: Task) -> Iterator[Done]:
    os.write(pipe_to_parent(), question.data)
    threading.Event().wait()
    yield Done()


def show(question: Do, _: Task) -> Iterator[Done]:
    print("junk", flush=True)  # noqa: T201 - what libraries do
    print(question.data.decode(), file=sys.stderr, flush=True)  # noqa: T201
    yield Done()


def niceness(_: Do, __: Task) -> Iterator[Done]:
    yield Done(os.nice(0), os.environ.get("SECRET_OF_TESTS", "").encode())


def grandchildren() -> Iterator[Done]:
    """One in the process group and one that left it, each with stdout open."""
    program = [sys.executable, "-c", "import time; time.sleep(600)"]
    out = pipe_to_parent()
    for leaves in (False, True):
        yield Done(subprocess.Popen(program, stdout=out, start_new_session=leaves).pid)


def pipe_to_parent() -> int:
    """Where `serve` keeps what was stdout."""
    return next(fd for fd in range(3, 20) if is_pipe_for_writing(fd))


def is_pipe_for_writing(fd: int) -> bool:
    try:
        flags = Path(f"/proc/self/fdinfo/{fd}").read_text()
        return os.readlink(f"/proc/self/fd/{fd}").startswith(("pipe", "socket")) and int(flags.split()[3], 8) & 3 == 1
    except OSError:
        return False


WAYS: Final[dict[str, Callable[[Do, Task], Iterator[Done]]]] = {
    "echo": echo,
    "count": count,
    "nothing": nothing,
    "grow": grow,
    "grandchildren": stay_with_grandchildren,
    "hang": hang,
    "hang with the lock": hang_with_the_lock,
    "wait": wait,
    "nap": nap,
    "spin": spin,
    "fail": fail,
    "busy": be_busy,
    "half a frame": send_half_a_frame,
    "write": write,
    "print": show,
    "niceness": niceness,
}
