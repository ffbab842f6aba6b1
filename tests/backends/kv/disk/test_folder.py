"""The folder never holds more than its limit, whoever writes and whatever happens meanwhile."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.backends.kv.disk.folder import PIECE, CacheFolder
from tests.backends.kv.disk.states import keep, opened, recall, state_of

HOUR = 3600 * 10**9


class Week:
    """A clock that the test moves on."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * 10**9

    def __call__(self) -> int:
        self.now += 1
        return self.now


def size_of(root: Path) -> int:
    return sum(path.stat().st_size for path in root.iterdir())


def watched(folder: CacheFolder, size: int, seen: list[int]) -> Iterator[bytes]:
    """Parts of a file, written one by one; the folder is measured after each."""
    for start in range(0, size, 1000):
        yield b"x" * min(1000, size - start)
        seen.append(size_of(folder.root))


def test_a_week_of_use_stays_within_the_limit(tmp_path: Path) -> None:
    limit, rng, clock, seen = 100_000, random.Random(7), Week(), list[int]()
    folder = CacheFolder(tmp_path / "cache", limit, clock)
    key = folder.open()
    used: dict[str, int] = {}
    for hour in range(7 * 24):
        clock.now += HOUR
        for number in range(rng.randrange(6)):
            name, size = f"{hour}-{number}", rng.choice((1, 500, 7_000, 30_000, limit + 1))
            is_kept = folder.write(name, size, watched(folder, size, seen), key=key)
            assert is_kept == (size <= limit)
            if is_kept:
                used[name] = clock.now
        if rng.random() < 0.7 and (there := folder.names()):
            again = rng.choice(there)
            folder.touch([again])
            used[again] = clock.now
        assert size_of(folder.root) <= limit
        kept = folder.names()
        assert kept == sorted(used, key=lambda name: used[name])[-len(kept) :]
        used = {name: used[name] for name in kept}
    assert max(seen) <= limit
    assert max(seen) > 0.9 * limit
    counts = folder.counts()
    assert counts.writes - counts.evictions == len(folder.names())
    assert counts.written_bytes - counts.evicted_bytes == sum(
        path.stat().st_size for path in folder.root.glob(f"*{PIECE}")
    )


def test_the_limit_is_exact(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path, 1000)
    key = folder.open()
    room = 1000 - size_of(tmp_path) - 40
    assert not folder.write("a", room + 1, [b"x" * (room + 1)], key=key)
    assert folder.write("a", room, [b"x" * room], key=key)
    assert size_of(tmp_path) == 1000


def test_what_a_piece_goes_on_from_does_not_give_way_to_it(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path, 1000)
    key = folder.open()
    assert folder.write("parent", 600, [bytes(600)], key=key)
    assert not folder.write("child", 600, [bytes(600)], key=key, keep=["parent"])
    assert folder.names() == ["parent"]


def test_two_limits_in_one_folder(tmp_path: Path) -> None:
    """A second server may have been given less."""
    large, small = CacheFolder(tmp_path, 10_000), CacheFolder(tmp_path, 2_000)
    key = large.open()
    for number in range(8):
        assert large.write(str(number), 1_000, [bytes(1_000)], key=key)
    assert small.write("last", 1_000, [bytes(1_000)], key=key)
    assert size_of(tmp_path) <= 2_000


def test_threads_and_servers_take_turns(tmp_path: Path) -> None:
    limit, seen = 60_000, list[int]()
    writers = [(CacheFolder(tmp_path, limit), number) for number in range(4)]
    key = writers[0][0].open()

    def write(folder: CacheFolder, number: int) -> None:
        for each in range(10):
            folder.write(f"{number}-{each}", 9_000, watched(folder, 9_000, seen), key=key)

    threads = [threading.Thread(target=write, args=writer) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert CacheFolder(tmp_path, limit).counts().writes == 40
    assert max(seen) <= limit


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
def test_a_full_disk_costs_what_does_not_fit(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from pathlib import Path
from tests.backends.kv.disk.states import keep, opened
store = opened(Path(sys.argv[1]))
keep(store, [1, 2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
(piece,) = store.missing(b"", [7, 8])
print(store.write(piece, bytes(5000), 0.01), store.find(b"", [7, 8]).length)
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "0"]
    assert len(list(tmp_path.glob("*.part"))) == 0
    store = opened(tmp_path)
    assert recall(store, store.find(b"", [1, 2])) == state_of([1, 2])


# A thousand of them, in parts that each take some minutes.
PARTS = [range(250 * part, 250 * (part + 1)) for part in range(4)]
KILLS = pytest.mark.parametrize(
    "seeds",
    [range(3), *(pytest.param(part, marks=[pytest.mark.extended, pytest.mark.timeout(540)]) for part in PARTS)],
    ids=str,
)


@KILLS
def test_a_killed_writer_leaves_what_is_right(tmp_path: Path, seeds: range) -> None:
    """Each writes conversations of its own beside what is there, until it is killed at a random moment."""
    limit, rng = 400_000, random.Random(seeds.stop)
    script = """
import random, sys
from pathlib import Path
from tests.backends.kv.disk.states import keep, opened, state_of
rng = random.Random(int(sys.argv[2]))
store = opened(Path(sys.argv[1]), limit=int(sys.argv[3]))
print("ready", flush=True)
while True:
    tokens = []
    for _ in range(5):
        tokens += [rng.randrange(1000) for _ in range(400)]
        for piece in store.missing(b"", tokens):
            store.write(piece, state_of(tokens[: piece.end], piece.start), 0.01)
"""
    found = 0
    for seed in seeds:
        command = [sys.executable, "-c", script, str(tmp_path), str(seed % 50), str(limit)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(rng.random() * 0.05)
            writer.kill()
        assert size_of(tmp_path) <= limit
        store = opened(tmp_path, limit=limit)
        found += check_conversations(tmp_path, seed, limit)
        keep(store, [5, 6, 7])
        assert not list(tmp_path.glob("*.part"))
    assert found > 0


def check_conversations(root: Path, seed: int, limit: int) -> int:
    """What is found of the first conversation of that writer is right; returns how much that is."""
    rng = random.Random(seed % 50)
    tokens = [rng.randrange(1000) for _ in range(2000)]
    store = opened(root, limit=limit)
    found = store.find(b"", tokens)
    assert recall(store, found)[: 16 * found.length] == state_of(tokens[: found.length])
    return found.length
