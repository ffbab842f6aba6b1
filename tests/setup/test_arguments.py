"""The command line: what is the installer's, what goes on untouched, and where the models are."""

from pathlib import Path

import pytest

from installer.arguments import CommandLine, models_folder, parse
from installer.failures import StepFailed


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ([], CommandLine("", (), None)),
        (["--api", "--model", "a b"], CommandLine("", ("--api", "--model", "a b"), None)),
        (["--api", "--help"], CommandLine("", ("--api", "--help"), None)),
        (["--help"], CommandLine("help", (), None)),
        (["test", "-k", "x", "--help"], CommandLine("test", ("-k", "x", "--help"), None)),
        (["--set", "cuda", "test"], CommandLine("test", (), "cuda")),
        (["--api", "--set=cpu", "--listen"], CommandLine("", ("--api", "--listen"), "cpu")),
        (["--model", "test"], CommandLine("", ("--model", "test"), None)),
        (["--settings", "x.yaml"], CommandLine("", ("--settings", "x.yaml"), None)),
    ],
)
def test_command_line(given: list[str], understood: CommandLine) -> None:
    assert parse(given) == understood


@pytest.mark.parametrize("given", [["--set", "gpu"], ["--set"], ["--set="]])
def test_unknown_set_is_named_with_the_choices(given: list[str]) -> None:
    with pytest.raises(StepFailed) as failure:
        parse(given)
    assert "cpu, cuda, rocm, apple, intel, full, auto" in "\n".join(failure.value.lines())


def test_models_folder_follows_the_flags(tmp_path: Path) -> None:
    data, other = tmp_path / "data", tmp_path / "other"
    assert models_folder([], tmp_path) == tmp_path / "user_data" / "models"
    assert models_folder(["--user-data-dir", str(data)], tmp_path) == data / "models"
    assert models_folder([f"--user_data_dir={data}", "--model_dir", str(other)], tmp_path) == other


def test_models_folder_of_cmd_flags_is_overridden_by_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "user_data").mkdir()
    flags = tmp_path / "user_data" / "CMD_FLAGS.txt"
    flags.write_text('# --model-dir no\n--api \\\n--model-dir "/with space"\n', encoding="utf-8")
    assert models_folder(["--api"], tmp_path) == Path("/with space")
    assert models_folder(["--model-dir", "/given"], tmp_path) == Path("/given")


def test_cmd_flags_with_an_open_quote_are_left_to_the_server(tmp_path: Path) -> None:
    (tmp_path / "user_data").mkdir()
    (tmp_path / "user_data" / "CMD_FLAGS.txt").write_text('--model-dir "open\n', encoding="utf-8")
    assert models_folder([], tmp_path) == tmp_path / "user_data" / "models"
