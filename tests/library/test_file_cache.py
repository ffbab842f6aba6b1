"""A file is parsed once for each of its versions."""

import os
from pathlib import Path

import pytest

from modules.library.folder import FileCache
from tests.library.names import write_old


class Reader:
    """Counts how often it reads."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, path: Path) -> str:
        self.read.append(path.name)
        return path.read_text(encoding="utf-8")


@pytest.fixture
def reader() -> Reader:
    return Reader()


def test_what_did_not_change_is_not_read_again(tmp_path: Path, reader: Reader) -> None:
    write_old(tmp_path / "a", "one")
    cache = FileCache(reader)
    assert [cache.read(tmp_path / "a") for _ in range(3)] == ["one"] * 3
    assert reader.read == ["a"]


def test_an_edit_counts_at_once(tmp_path: Path, reader: Reader) -> None:
    write_old(tmp_path / "a", "one")
    cache = FileCache(reader)
    assert cache.read(tmp_path / "a") == "one"
    (tmp_path / "a").write_text("two", encoding="utf-8")
    assert cache.read(tmp_path / "a") == "two"


def test_two_edits_of_one_instant_and_length_are_told_apart(tmp_path: Path, reader: Reader) -> None:
    cache = FileCache(reader)
    path = tmp_path / "a"
    path.write_text("one", encoding="utf-8")
    moment = path.stat().st_mtime_ns
    assert cache.read(path) == "one"
    path.write_text("two", encoding="utf-8")
    os.utime(path, ns=(moment, moment))
    assert cache.read(path) == "two"


def test_a_file_put_in_the_place_of_another_counts(tmp_path: Path, reader: Reader) -> None:
    write_old(tmp_path / "a", "one")
    write_old(tmp_path / "b", "two", seconds_ago=50)
    cache = FileCache(reader)
    assert cache.read(tmp_path / "a") == "one"
    os.replace(tmp_path / "b", tmp_path / "a")
    assert cache.read(tmp_path / "a") == "two"


def test_a_file_that_is_gone_is_gone(tmp_path: Path, reader: Reader) -> None:
    write_old(tmp_path / "a", "one")
    cache = FileCache(reader)
    cache.read(tmp_path / "a")
    (tmp_path / "a").unlink()
    with pytest.raises(FileNotFoundError):
        cache.read(tmp_path / "a")


def test_failures_are_not_kept(tmp_path: Path) -> None:
    write_old(tmp_path / "a", "not a number")
    cache = FileCache(lambda path: int(path.read_text(encoding="utf-8")))
    with pytest.raises(ValueError, match="not a number"):
        cache.read(tmp_path / "a")
    write_old(tmp_path / "a", "7")
    assert cache.read(tmp_path / "a") == 7


def test_only_the_last_files_are_kept(tmp_path: Path, reader: Reader) -> None:
    cache = FileCache(reader)
    paths = [tmp_path / f"{number:03}" for number in range(257)]
    for path in paths:
        write_old(path, path.name)
        cache.read(path)
    reader.read.clear()
    cache.read(paths[-1])
    assert reader.read == []
    cache.read(paths[0])
    assert reader.read == ["000"]
