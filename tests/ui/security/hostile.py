"""Values that no browser would send, and a trap around a user data folder that shows whether one of them got through."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MARK: Final = "hostile"
SECRET: Final = "the-canary-sings"
ROOT: Final = Path(__file__).resolve().parents[3]

_UPWARD: Final = ("../", "../../", "../../../", "../../../../")
_SUFFIXES: Final = (".yaml", ".yml", ".json", ".txt", ".gbnf", ".jinja", ".png", ".jpg", ".py", ".md", "")
_PROGRAMS: Final = (".py", ".pyc", ".pth", ".js", ".html", ".svg", ".sh", ".bat", ".exe", ".so", ".dll", ".lnk")
NAMES: Final = (
    *(f"{upward}canary" for upward in _UPWARD),
    "..\\canary.yaml",
    "%2e%2e%2fcanary",
    "/etc/passwd",
    f"../{MARK}.py",
    f"{MARK}\0.py",
    f"{MARK}\ud800" * 700,
)
SHAPES: Final[tuple[Any, ...]] = (
    None,
    10**18,
    [["../canary"]],
    {"text": MARK, "files": ["../canary.txt"]},
    {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
    {"__type__": "update", "value": "../canary"},
)
ANY_EVENT: Final = {"index": 0, "value": "../canary"}
EVENT_DATA: Final[tuple[Any, ...]] = (
    {"index": 10**9, "value": "../canary"},
    {"index": "../canary", "act": "branch", "value": {"value": "Always approve"}},
)


@dataclass(frozen=True, slots=True)
class Trap:
    """`folder` is the user data folder, with secrets beside it and, out of the way of every kind of file, in it."""

    folder: Path
    outside: dict[Path, bytes]
    program: frozenset[str]

    @classmethod
    def set_up(cls, place: Path) -> "Trap":
        folder = place / "user_data"
        for where in (place, folder):
            where.mkdir(parents=True, exist_ok=True)
            for suffix in _SUFFIXES:
                (where / f"canary{suffix}").write_text(f'{{"name": "{SECRET}", "context": "{SECRET}"}}\n')
        outside = {path: path.read_bytes() for path in place.iterdir() if path.is_file()}
        return cls(folder, outside, _program_files())

    def check(self) -> None:
        """Nothing beside the folder is other than it was, and in it are no programs."""
        place = self.folder.parent
        assert {path: path.read_bytes() for path in place.iterdir() if path != self.folder} == self.outside
        found = [path for path in self.folder.rglob("*") if path.is_file() and path.name != "canary.py"]
        assert [path for path in found if path.suffix.lower() in _PROGRAMS] == []
        for suffix in _SUFFIXES:
            assert SECRET in (self.folder / f"canary{suffix}").read_text()
        assert {name for name in _program_files() - self.program if MARK in name or "canary" in name} == set()


def _program_files() -> frozenset[str]:
    """Names in the program's own folders."""
    folders = (ROOT, ROOT / "modules", ROOT / "extensions", ROOT / "user_data", ROOT.parent)
    return frozenset(str(folder / name) for folder in folders if folder.is_dir() for name in os.listdir(folder))
