"""Loaders by name and by file."""

from pathlib import Path

import pytest

from modules.backends.registry import BACKENDS
from modules.backends.scripted.backend import ScriptedLoader
from modules.errors import LoadFailed


def test_the_scripted_loader_needs_nothing() -> None:
    assert isinstance(BACKENDS.loader_for("scripted"), ScriptedLoader)


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(LoadFailed) as failed:
        BACKENDS.loader_for("nonsense")
    assert all(name in failed.value.message for name in BACKENDS.names)


@pytest.mark.parametrize("name", ["a.gguf", "folder/B.GGUF"])
def test_gguf_files_are_llama_cpps(name: str) -> None:
    assert BACKENDS.reader_of(Path(name)).name == "llama.cpp"


@pytest.mark.parametrize("name", ["a.bin", "folder", "gguf"])
def test_other_files_are_nobodys(name: str) -> None:
    with pytest.raises(LoadFailed, match=f"reads {BACKENDS.formats} files"):
        BACKENDS.reader_of(Path(name))
