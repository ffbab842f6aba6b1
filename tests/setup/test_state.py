"""What is installed, as remembered: when it suffices, and that no half-written or foreign file is believed."""

from dataclasses import replace
from pathlib import Path

import pytest

from installer.state import State, load, save

INSTALLED = State("cpu", "cpu", "/usr/bin/python3.11", "1-cpu-x", {"cpu.txt": "a", "dev.txt": "b"})


def test_state_survives_the_file(tmp_path: Path) -> None:
    save(tmp_path / "deep" / "state.json", INSTALLED)
    assert load(tmp_path / "deep" / "state.json") == INSTALLED
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["state.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"set_name": "cpu", "requirements": 3}'])
def test_unreadable_state_counts_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text, encoding="utf-8")
    assert load(path) is None


def test_missing_state_counts_as_none(tmp_path: Path) -> None:
    assert load(tmp_path / "state.json") is None


def test_more_than_wanted_suffices() -> None:
    assert INSTALLED.covers(replace(INSTALLED, requirements={"cpu.txt": "a"}))


@pytest.mark.parametrize(
    "wanted",
    [
        replace(INSTALLED, set_name="full"),
        replace(INSTALLED, accelerator="cuda"),
        replace(INSTALLED, python="/usr/bin/python3.12"),
        replace(INSTALLED, llama="2-cpu-x"),
        replace(INSTALLED, requirements={"cpu.txt": "changed"}),
        replace(INSTALLED, requirements={"cpu.txt": "a", "other.txt": "c"}),
    ],
)
def test_any_difference_does_not_suffice(wanted: State) -> None:
    assert not INSTALLED.covers(wanted)


def test_unfinished_suffices_for_nothing() -> None:
    assert not INSTALLED.unfinished().covers(INSTALLED)
    assert INSTALLED.unfinished().set_name == "cpu"
