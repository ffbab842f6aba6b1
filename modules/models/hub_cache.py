"""Models that other programs downloaded into the hub's cache. It is read only."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"(?:([\w.-]{1,96})/)?([\w.-]{1,96})", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
# Whose models are called by their name alone.
_USUAL_OWNER: Final = "sentence-transformers"


def hub_cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the hub's library keeps what it downloaded."""
    if folder := environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE"):
        return Path(folder).expanduser()
    home = environment.get("HF_HOME") or Path(environment.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(home).expanduser() / "hub"


def cached_model(folder: Path, name: str) -> Path | None:
    """The folder of the newest version of `owner/name`; None where it was not downloaded, or only in part."""
    matched = _NAME.fullmatch(name)
    if matched is None or ".." in name:
        return None
    repository = folder / f"models--{matched[1] or _USUAL_OWNER}--{matched[2]}"
    try:
        commit = (repository / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    if not _COMMIT.fullmatch(commit):
        return None
    snapshot = repository / "snapshots" / commit
    return snapshot if snapshot.is_dir() else None
