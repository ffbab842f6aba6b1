"""What was measured is found again, and never believed of something else."""

from pathlib import Path

import pytest

from modules.backends.llamacpp.tuning.choices import TunedChoice
from modules.backends.llamacpp.tuning.store import ChoiceStore

CHOICE = TunedChoice("off", 64, 3, 4, "because")


def stored(folder: Path) -> Path:
    (found,) = folder.rglob("*.json")
    return found


def test_it_comes_back_in_a_new_process(tmp_path: Path) -> None:
    ChoiceStore(tmp_path, "/models/a.gguf").put("key", CHOICE)
    assert ChoiceStore(tmp_path, "/models/a.gguf").get("key") == CHOICE


def test_another_key_or_model_is_not_known(tmp_path: Path) -> None:
    ChoiceStore(tmp_path, "/models/a.gguf").put("key", CHOICE)
    assert ChoiceStore(tmp_path, "/models/a.gguf").get("other") is None
    assert ChoiceStore(tmp_path, "/models/b.gguf").get("key") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"key": 3}', b'{"key": {"threads": "many"}}'])
def test_a_damaged_file_is_measured_again_and_replaced(tmp_path: Path, content: bytes) -> None:
    store = ChoiceStore(tmp_path, "/models/a.gguf")
    store.put("key", CHOICE)
    stored(tmp_path).write_bytes(content)
    assert store.get("key") is None
    store.put("key", CHOICE)
    assert store.get("key") == CHOICE


def test_the_file_stays_small(tmp_path: Path) -> None:
    store = ChoiceStore(tmp_path, "/models/a.gguf")
    for number in range(50):
        store.put(f"key {number}", CHOICE)
    assert store.get("key 0") is None
    assert store.get("key 49") == CHOICE
    assert stored(tmp_path).stat().st_size < 4096


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    ChoiceStore(tmp_path / "file", "/models/a.gguf").put("key", CHOICE)
