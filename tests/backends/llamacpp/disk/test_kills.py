"""Model processes that are killed at random moments: what the next ones find on disk is right, and within its bounds."""

import math
import multiprocessing
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from modules.backends.llamacpp.loader import LlamaCppLoader
from tests.backends.llamacpp.disk.talking import COUNT, LIMIT, talk
from tests.backends.llamacpp.reference import Reference, assert_same, reference
from tests.backends.llamacpp.tiny_models import END, write_jamba, write_llama

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(sys.platform == "win32", reason="has no fork, and a start of each process takes seconds"),
]

# Prompt and reply, and how many tokens of the prompt came from disk.
Told: TypeAlias = tuple[tuple[int, ...], tuple[int, ...], int]
# Leads of the tiny models are larger by far, where their states are right.
NEAR_TIE: Final = 0.05
# Of a second, after which a process is killed at the latest.
MOST_SECONDS: Final = 0.25
KILLS: Final = 250
PREPARED: Final = ["tests.backends.llamacpp.disk.talking"]


def killed(model: Path, folder: Path, number: int, seconds: float, judge: Reference) -> int:
    """Starts a process and kills it after so many seconds, if they are finite, else once something came from disk. Checks
    what it said until then; returns how many tokens came from disk."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PREPARED)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=talk, args=(str(model), str(folder), number, theirs))
    process.start()
    theirs.close()
    assert ours.recv() is None
    told: list[Told] = []
    for each in read(ours, until=time.monotonic() + seconds):
        told.append(each)
        if each[2] and seconds == math.inf:
            break
    process.kill()
    process.join()
    told += read(ours, until=math.inf)
    for prompt, reply, _ in told:
        assert_same(reply, judge.greedy(prompt, COUNT), (END,), near_tie=NEAR_TIE)
    return sum(disk for _, _, disk in told)


def read(told: Connection, *, until: float) -> Iterator[Told]:
    """To the end of the pipe or of the time; the last of them may have been cut."""
    with suppress(EOFError, OSError):
        while (left := until - time.monotonic()) > 0:
            if told.poll(min(left, 10.0)):
                yield told.recv()


@pytest.mark.timeout(540)
@pytest.mark.parametrize(
    ("write", "kills"),
    [
        pytest.param(write_llama, 3, id="attention"),
        *(
            pytest.param(write, KILLS, id=f"{name}, part {part}", marks=pytest.mark.extended)
            for name, write in (("attention", write_llama), ("hybrid", write_jamba))
            for part in range(2)
        ),
    ],
)
def test_a_killed_model_leaves_what_is_right(
    llama_cpp: LlamaCppLoader,
    tmp_path: Path,
    write: Callable[[Path], Path],
    kills: int,
    request: pytest.FixtureRequest,
) -> None:
    model, folder = write(tmp_path / "tiny.gguf"), tmp_path / "cache"
    rng = random.Random(request.node.name)
    with reference(model) as judge:
        for number in range(kills):
            killed(model, folder, number, rng.random() * MOST_SECONDS, judge)
        assert killed(model, folder, kills, math.inf, judge) > 0
    files = list((folder / "prefixes").iterdir())
    assert sum(path.stat().st_size for path in files) <= LIMIT * 2**30
