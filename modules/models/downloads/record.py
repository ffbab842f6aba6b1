"""What was downloaded and its sums, in the text file that older versions keep in a model's folder."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from modules.errors import BadRequest
from modules.library.text_files import read_text
from modules.paths import atomic_write

RECORD_NAME: Final = "huggingface-metadata.txt"

_SUM: Final = re.compile(r"\s*([0-9a-fA-F]{64})\s+(\S.*?)\s*")
_FIELD: Final = re.compile(r"(url|branch):\s*(\S+)\s*")


@dataclass(frozen=True, slots=True)
class DownloadRecord:
    """`sums` are SHA-256 in hexadecimal, by path below the place where the record counts."""

    url: str
    branch: str
    sums: Mapping[str, str]


def read_record(path: Path) -> DownloadRecord | None:
    """None when there is none, or nothing in it that can be understood."""
    try:
        lines = read_text(path).splitlines()
    except (FileNotFoundError, BadRequest):
        return None
    fields = {match[1]: match[2] for line in lines if (match := _FIELD.fullmatch(line))}
    sums = dict(_sums(lines))
    return DownloadRecord(fields.get("url", ""), fields.get("branch", ""), sums) if fields or sums else None


def write_record(path: Path, record: DownloadRecord) -> None:
    """Raises OSError."""
    now = datetime.now().astimezone()
    lines = [
        f"url: {record.url}",
        f"branch: {record.branch}",
        f"download date: {now:%Y-%m-%d %H:%M:%S}",
        "sha256sum:",
        *(f"    {value} {name}" for name, value in sorted(record.sums.items())),
    ]
    atomic_write(path, "\n".join(lines) + "\n")


def _sums(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if match := _SUM.fullmatch(line):
            yield match[2], match[1].lower()
