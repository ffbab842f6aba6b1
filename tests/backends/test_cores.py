"""Threads for what a container is given, not for the machine it stands on."""

import os
from pathlib import Path

import psutil
import pytest

from modules.backends.cores import usable_cores


def _second(folder: Path, text: str) -> Path:
    (folder / "cpu.max").write_text(text, encoding="ascii")
    return folder


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 16 if logical else 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


def test_without_limits_all_physical_cores(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == 8


@pytest.mark.parametrize(
    ("text", "cores"), [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("5000 100000", 1), ("?", 8)]
)
def test_quota_of_a_container(tmp_path: Path, text: str, cores: int) -> None:
    assert usable_cores(_second(tmp_path, text)) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("300000", 3)])
def test_quota_of_an_old_container(tmp_path: Path, quota: str, cores: int) -> None:
    folder = tmp_path / "cpu"
    folder.mkdir()
    (folder / "cpu.cfs_quota_us").write_text(quota, encoding="ascii")
    (folder / "cpu.cfs_period_us").write_text("100000", encoding="ascii")
    assert usable_cores(tmp_path) == cores


def test_cores_that_the_process_is_bound_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5}, raising=False)
    assert usable_cores(tmp_path) == 1
