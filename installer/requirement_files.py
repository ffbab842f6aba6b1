"""Reads `requirements/*.txt`: which files one pulls in, a digest of them all, and single pins."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

INCLUDE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]\s*(\S+)")
PIN = re.compile(r"^\s*([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;#]+)")


def with_included(path: Path) -> Iterator[Path]:
    """The file and those that it names with -r or -c, depth first, each once."""
    seen: set[Path] = set()
    waiting = [path.resolve()]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        yield current
        lines = current.read_text(encoding="utf-8").splitlines()
        included = [found.group(1) for line in lines if (found := INCLUDE.match(line))]
        waiting += [(current.parent / name).resolve() for name in reversed(included)]


def digest(path: Path) -> str:
    """Changes whenever the file, or one that it pulls in, changes."""
    total = hashlib.sha256()
    for part in with_included(path):
        total.update(part.name.encode() + b"\0" + part.read_bytes() + b"\0")
    return total.hexdigest()[:16]


def pins(path: Path) -> dict[str, str]:
    """Package → version, for every exact pin of the file and of those that it pulls in."""
    found: dict[str, str] = {}
    for part in with_included(path):
        for line in part.read_text(encoding="utf-8").splitlines():
            if match := PIN.match(line):
                found.setdefault(match.group(1), match.group(2))
    return found
