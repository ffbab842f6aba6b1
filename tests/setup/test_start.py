"""Starting when everything is there, in real processes: at once, and with the arguments exactly as given."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from installer.media_models import TEST_FILES
from installer.model_folders import TEST_FOLDERS, WEIGHTS
from installer.models import TEST_MODELS
from installer.test_wheels import TEST_WHEELS
from tests.setup.checkout import (
    Checkout,
    add_finished_installation,
    add_model,
    add_templates,
    arguments_of_server,
    surroundings,
)

HARD = [
    "--api",
    "--model",
    "a b",
    "$(touch made)",
    '"quoted"',
    "'",
    "*",
    ";",
    "&& exit 3",
    "",
    "new\nline",
    "日本 🦊",
    "\\",
]


@pytest.fixture
def ready(checkout: Checkout) -> Checkout:
    add_finished_installation(checkout)
    add_model(checkout)
    return checkout


def test_arguments_arrive_as_given(ready: Checkout) -> None:
    status, printed = ready.run(*HARD)
    assert status == 0, printed
    assert arguments_of_server(printed) == HARD


def test_second_start_runs_no_other_program_and_says_nothing(ready: Checkout, tmp_path: Path) -> None:
    """What makes a start slow is pip, a compiler, or a question to the hardware: each a program."""
    audit = "import sys; sys.addaudithook(lambda event, _: event == 'subprocess.Popen' and print('program'))"
    (tmp_path / "sitecustomize.py").write_text(audit, encoding="utf-8")
    _, printed = ready.run("--api", variables={"PYTHONPATH": str(tmp_path)})
    assert printed == 'SERVER ["--api"]\n'


def test_server_takes_the_place_of_the_installer(ready: Checkout) -> None:
    program = "import os, sys; print(os.getpid(), sys.prefix, os.getcwd()); sys.exit(7)"
    (ready.root / "server.py").write_text(program, encoding="utf-8")
    with ready.start("--api") as process:
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 7
    number, rest = printed.strip().split(" ", 1)
    assert rest == f"{ready.layout.environment} {Path.cwd()}"
    if os.name != "nt":
        assert int(number) == process.pid


def test_python_variables_of_the_user_do_not_reach_the_server(ready: Checkout) -> None:
    (ready.root / "server.py").write_text("import os; print('PYTHONHOME' in os.environ)", encoding="utf-8")
    arguments = ["--api", "--set", "cpu"]
    _, printed = ready.run(*arguments, variables={"PYTHONPATH": str(ready.root)})
    assert printed == "False\n"


def test_start_without_a_model_goes_on_when_none_can_be_had(checkout: Checkout) -> None:
    add_finished_installation(checkout)
    status, printed = checkout.run("--api")
    assert status == 0
    assert "Going on without a model" in printed
    assert arguments_of_server(printed) == ["--api"]


def test_tests_get_their_arguments_and_models(checkout: Checkout, tmp_path: Path) -> None:
    add_finished_installation(checkout, with_dev=True)
    stand_in = "import os, sys; print(sys.argv[1:], os.environ['TEST_MODELS_DIR'], os.getcwd())"
    (checkout.root / "pytest.py").write_text(stand_in, encoding="utf-8")
    for model in TEST_MODELS:
        with (tmp_path / model.file_name).open("wb") as file:
            file.truncate(model.size)
    for folder in TEST_FOLDERS:
        (tmp_path / folder.name).mkdir()
        with (tmp_path / folder.name / WEIGHTS).open("wb") as file:
            file.truncate(folder.weights)
    for carried in TEST_FILES:
        place = tmp_path / carried.name
        for each in carried.files:
            (place / each.file_name).parent.mkdir(parents=True, exist_ok=True)
            with (place / each.file_name).open("wb") as file:
                file.truncate(each.size)
        if carried.voices is not None:
            (place / "voices").mkdir()
            (place / "voices" / "one.bin").touch()
    for wheel in TEST_WHEELS:
        marker = tmp_path / wheel.name / wheel.marker[0]
        marker.parent.mkdir(parents=True)
        with marker.open("wb") as file:
            file.truncate(wheel.marker[1])
    add_templates(checkout, tmp_path)
    status, printed = checkout.run("test", "-k", "a or b", variables={"TEST_MODELS_DIR": str(tmp_path)})
    assert status == 0, printed
    told = ["-n", "logical", "--maxprocesses", "4", "--durations=40", f"--junitxml={checkout.layout.test_report}"]
    assert printed == f"{[*told, '-k', 'a or b']} {tmp_path} {checkout.root}\n"


@pytest.mark.skipif(os.name == "nt", reason="shell scripts")
@pytest.mark.parametrize("script", ["start_linux.sh", "start_macos.sh"])
def test_start_file_passes_everything_on(ready: Checkout, script: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(ready.root / script), *HARD],
        capture_output=True,
        text=True,
        env=surroundings({"PATH": path}),
        timeout=60,
        check=True,
    )
    assert arguments_of_server(done.stdout) == HARD


@pytest.mark.skipif(os.name == "nt", reason="shell scripts")
def test_start_file_without_a_new_python_says_what_to_do(checkout: Checkout, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "dirname"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    old = tools / "python3"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)
    done = subprocess.run(
        [str(checkout.root / "start_linux.sh")],
        capture_output=True,
        text=True,
        env={"PATH": str(tools)},
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "No Python 3.11 or newer was found" in done.stderr
