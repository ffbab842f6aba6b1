"""Folders of Whisper models, by what lies in them: whole, broken, and without the gift of translation."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from modules.backends.fasterwhisper.folder import is_whisper_folder, read_whisper_folder
from modules.backends.fasterwhisper.spec import FasterWhisper
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import LoadFailed

BASE: dict[str, Any] = {"alignment_heads": [[3, 1], [5, 6]], "lang_ids": list(range(50259, 50358))}


def folder_of(place: Path, *, name: str = "whisper", class_name: bytes = b"WhisperSpec", **config: Any) -> Path:
    folder = place / name
    folder.mkdir()
    head = struct.pack("<IH", 6, len(class_name) + 1) + class_name + b"\0"
    (folder / "model.bin").write_bytes(head + bytes(10_000))
    (folder / "config.json").write_text(json.dumps({**BASE, **config}), encoding="utf-8")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    (folder / "vocabulary.txt").write_text("a", encoding="utf-8")
    return folder


def test_a_folder_is_known_by_its_weights(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    assert FasterWhisper().reads(folder)
    assert FasterWhisper().kind_of(folder) is ModelKind.TRANSCRIPTION
    assert not is_whisper_folder(folder / "model.bin")
    assert not is_whisper_folder(folder_of(tmp_path, name="other", class_name=b"TransformerSpec"))


@pytest.mark.parametrize(
    ("name", "config", "can_translate"),
    [
        ("base", {}, True),
        ("tiny", {"alignment_heads": [[2, 2], [3, 0]]}, True),
        ("large-v3", {"alignment_heads": [[7, 0], [25, 6]], "lang_ids": list(range(100))}, True),
        ("renamed", {"alignment_heads": [[2, 4], [3, 14]], "lang_ids": list(range(100))}, False),
        ("distilled", {"alignment_heads": [[1, 0], [1, 1]]}, False),
        ("faster-whisper-large-v3-turbo", {}, False),
        ("unknown", {"alignment_heads": None}, True),
    ],
)
def test_who_can_translate(tmp_path: Path, name: str, config: dict[str, Any], can_translate: bool) -> None:
    assert read_whisper_folder(folder_of(tmp_path, name=name, **config)).can_translate is can_translate


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "vocabulary.txt"])
def test_what_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    folder = folder_of(tmp_path)
    (folder / missing).unlink()
    with pytest.raises(LoadFailed, match="vocabulary.json" if missing == "vocabulary.txt" else missing):
        read_whisper_folder(folder)


def test_memory_follows_the_precision(tmp_path: Path) -> None:
    path = str(folder_of(tmp_path))
    estimates = [
        FasterWhisper().estimate(
            LoadSpec(name="x", path=path, loader="faster-whisper", options={"transcription_compute_type": precision})
        )
        for precision in ("int8", "float32")
    ]
    assert estimates[0].host < estimates[1].host
