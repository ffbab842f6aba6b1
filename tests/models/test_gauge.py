"""What a model process takes, as it is booked."""

import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from modules.models.gauge import GIB, SystemMemory
from modules.models.residency import MemoryUse
from modules.settings.values import Settings

SIZE = 32 * 2**20
MAPS = f"""
import mmap, sys
with open(sys.argv[1], "rb") as file:
    pages = mmap.mmap(file.fileno(), {SIZE}, access=mmap.ACCESS_READ)
sum(pages[at] for at in range(0, {SIZE}, {mmap.PAGESIZE}))
print("there", flush=True)
sys.stdin.read()
"""


@contextmanager
def mapping(file: Path) -> Iterator[int]:
    """The id of a process that has `file` mapped, all of it."""
    command = [sys.executable, "-c", MAPS, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        yield process.pid
        process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only what belongs to a process alone is known")
def test_a_mapped_file_counts_whole_whoever_maps_it_as_well(tmp_path: Path) -> None:
    """Otherwise a model that was loaded beside another program with the same file would grow when that ends."""
    file = tmp_path / "weights.gguf"
    file.write_bytes(bytes(SIZE))
    gauge = SystemMemory(Settings())
    with mapping(file) as pid:
        alone = gauge.taken(pid)
        assert alone > SIZE
        with ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(mapping(file))
            assert gauge.taken(pid) == pytest.approx(alone, rel=0.1)


def test_a_process_that_is_gone_takes_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert SystemMemory(Settings()).taken(process.pid) == 0
    assert SystemMemory(Settings()).taken(os.getpid()) > 0


def test_what_is_booked_and_not_taken_is_free_and_counts_once() -> None:
    """`limits` adds what the models take to what is free."""
    gauge = SystemMemory(Settings())
    grown, growing = (gauge.limits(MemoryUse(host=host, untaken=host - 2 * GIB)) for host in (2 * GIB, 8 * GIB))
    assert grown.host is not None
    assert growing.host == pytest.approx(grown.host, abs=GIB)
