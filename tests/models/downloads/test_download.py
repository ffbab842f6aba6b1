"""The download command in the terminal."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.models.downloads.download import main, shown_progress
from modules.models.downloads.progress import DownloadProgress, Stage, shown_seconds
from modules.paths import PROGRAM_FOLDER
from tests.models.hub_server import HubServer, hub_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with hub_server() as state:
        state.repos = {"ann/model": {"m-Q4_K_M.gguf": b"four", "m-Q8_0.gguf": b"eight...", "config.json": b"{}"}}
        monkeypatch.setenv("HF_ENDPOINT", state.endpoint)
        yield state


def run(folder: Path, *arguments: str) -> int:
    return main(["ann/model", "--user-data-dir", str(folder), "--max-retries", "1", *arguments])


def test_the_usual_quantization_comes_unasked(
    server: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path) == 0
    assert (tmp_path / "models" / "m-Q4_K_M.gguf").read_bytes() == b"four"
    assert capsys.readouterr().out == "m-Q4_K_M.gguf is complete.\n"


def test_a_file_and_a_folder_can_be_named(server: HubServer, tmp_path: Path) -> None:
    assert run(tmp_path, "--specific-file", "m-Q8_0.gguf", "--output", str(tmp_path / "here")) == 0
    assert (tmp_path / "here" / "m-Q8_0.gguf").is_file()


@pytest.mark.parametrize("name", ["ann/model:Q8_0", "hf.co/ann/model:q8_0", "hf:ann/model:Q8_0"])
def test_a_quantization_can_be_named(server: HubServer, tmp_path: Path, name: str) -> None:
    assert main([name, "--user-data-dir", str(tmp_path)]) == 0
    assert (tmp_path / "models" / "m-Q8_0.gguf").read_bytes() == b"eight..."


def test_a_missing_quantization_is_said(server: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ann/model:Q6_K", "--user-data-dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("ann/model has no Q6_K GGUF that can be loaded.")
    assert not (tmp_path / "models").exists()


def test_a_branch_is_never_read_as_a_quantization(
    server: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--branch", "Q8_0") == 1
    assert capsys.readouterr().err == "ann/model has no branch Q8_0.\n"


def test_check_tells_by_its_status(server: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 0
    assert run(tmp_path, "--check") == 0
    (tmp_path / "models" / "m-Q4_K_M.gguf").write_bytes(b"fuor")
    assert run(tmp_path, "--check") == 1
    assert "damaged  m-Q4_K_M.gguf" in capsys.readouterr().out
    assert run(tmp_path) == 0
    assert main(["m-Q4_K_M.gguf", "--check", "--user-data-dir", str(tmp_path)]) == 0


def test_list_shows_sizes_sorted(server: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--list") == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["2", "B", "config.json"],
        ["4", "B", "m-Q4_K_M.gguf"],
        ["8", "B", "m-Q8_0.gguf"],
    ]
    assert not (tmp_path / "models").exists()


def test_failures_are_sentences(server: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--branch", "none") == 1
    assert capsys.readouterr().err == "ann/model has no branch none.\n"


def test_the_script_at_the_top_is_the_same_command(server: HubServer, tmp_path: Path) -> None:
    command = [sys.executable, "download-model.py", "ann/model", "--user-data-dir", str(tmp_path), "--text-only"]
    done = subprocess.run(command, cwd=PROGRAM_FOLDER, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("ann_model is complete.\n", 0), done.stderr
    assert (tmp_path / "models" / "ann_model" / "config.json").is_file()


def test_a_line_of_progress() -> None:
    progress = DownloadProgress(Stage.WAITING, "m.gguf", 2**20, 2**22, 2**19, ("m.gguf",), "next attempt in 4 s")
    assert shown_progress(progress) == (
        "waiting m.gguf ·  25% · 1 MiB of 4 MiB · 512 KiB/s · 6 s left · next attempt in 4 s"
    )
    assert [shown_seconds(each) for each in (5, 65, 3700)] == ["5 s", "1 min 5 s", "1 h 1 min"]
