"""docs/ARCHITECTURE.md says of every package why it is there."""

import re
from pathlib import Path

from tests.architecture.source_tree import ROOT

PACKAGE = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[\w,]+\])?==", re.MULTILINE)


def packages_in(file: Path) -> set[str]:
    return set(PACKAGE.findall(file.read_text("utf-8")))


def test_every_direct_dependency_has_a_reason() -> None:
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    table = page.split("## Dependencies")[1].split("## ")[0]
    names = {
        name for row in re.findall(r"^\| ([^|]+) \| [^|]{5,} \|$", table, re.MULTILINE) for name in row.split(", ")
    }
    files = ("base", "dev", "speech", "transcription", "image", "torch")
    required = set[str]().union(*(packages_in(ROOT / "requirements" / f"{name}.txt") for name in files))
    assert names - {"package"} == required | {"llama-cpp-python"}
