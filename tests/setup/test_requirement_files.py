"""The shipped requirement files keep the rules, and their digest notices every change."""

import re
from pathlib import Path

import pytest

from installer.arguments import SETS
from installer.requirement_files import digest, pins, with_included
from tests.setup.checkout import PROJECT

FOLDER = PROJECT / "requirements"
FILES = sorted(path for path in FOLDER.glob("*.txt") if path.name not in {"base.txt", "constraints.txt"})
PINNED = re.compile(r"^[A-Za-z0-9._-]+(\[[a-z,]+\])?==[0-9][A-Za-z0-9.+!]*(; .+)?$")


def test_every_set_has_a_file() -> None:
    assert {path.stem for path in FILES} == {*SETS, "speech", "transcription", "image", "torch", "dev", "bench"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_set_stands_on_the_base(path: Path) -> None:
    assert path.read_text(encoding="utf-8").splitlines()[0] == "-r base.txt"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.name)
def test_every_version_is_exact(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    packages = [line for line in lines if line and not line.startswith(("#", "-r ", "-c "))]
    assert [line for line in packages if not PINNED.match(line)] == []


def test_no_package_is_pinned_to_two_versions() -> None:
    versions: dict[str, set[str]] = {}
    for path in FOLDER.glob("*.txt"):
        for name, version in pins(path).items():
            versions.setdefault(re.sub(r"[-_.]+", "-", name).lower(), set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_llama_is_pinned_once_and_not_installed_with_the_others() -> None:
    naming = [path.name for path in FOLDER.glob("*.txt") if re.search(r"(?m)^llama", path.read_text(encoding="utf-8"))]
    assert naming == ["constraints.txt"]
    assert "llama-cpp-python" in pins(FOLDER / "base.txt")


def test_digest_follows_the_files_that_are_pulled_in(tmp_path: Path) -> None:
    (tmp_path / "cpu.txt").write_text("-r base.txt\n", encoding="utf-8")
    (tmp_path / "base.txt").write_text("-c fixed.txt\na==1\n", encoding="utf-8")
    (tmp_path / "fixed.txt").write_text("b==1\n", encoding="utf-8")
    assert [path.name for path in with_included(tmp_path / "cpu.txt")] == ["cpu.txt", "base.txt", "fixed.txt"]
    before = digest(tmp_path / "cpu.txt")
    assert digest(tmp_path / "cpu.txt") == before
    (tmp_path / "fixed.txt").write_text("b==2\n", encoding="utf-8")
    assert digest(tmp_path / "cpu.txt") != before
