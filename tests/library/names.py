"""Names that attackers send, and how a folder is written to so that its cache has something to go wrong with."""

import os
from pathlib import Path

CANARY = "the-canary-sings"

# None of these may reach a file, be it to read, write or delete it.
HOSTILE = (
    "",
    " ",
    ".",
    "..",
    "../canary",
    "../canary.yaml",
    "../../etc/passwd",
    "..\\canary",
    "sub/../../canary",
    "sub/name",
    "/etc/passwd",
    "\\\\host\\share",
    "C:\\secret",
    "c:name",
    "name.yaml::$DATA",
    "name\0",
    "name\0.yaml",
    "line\nbreak",
    "%2e%2e%2fcanary",
    "%252e%252e%252fcanary",
    "..%5ccanary",
    ".hidden",
    "name.",
    "name ",
    "CON",
    "nul.yaml",
    "lpt1",
    "x" * 201,
    "x" * 5000,
    "lone\ud800surrogate",
)


def write_old(path: Path, text: str, *, seconds_ago: int = 100) -> None:
    """Write a file whose change lies long enough ago to be kept in a cache."""
    path.write_text(text, encoding="utf-8")
    then = path.stat().st_mtime - seconds_ago
    os.utime(path, (then, then))
