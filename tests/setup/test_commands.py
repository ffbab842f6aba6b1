"""The commands beside starting: help, doctor, update, check; and what the installer itself is made of."""

import ast
import io
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from installer import checks
from installer.console import Console
from installer.doctor import examine_port
from installer.toolchain import linux_family
from tests.setup.checkout import PROJECT, Checkout, add_finished_installation, add_model, make

SOURCES = [PROJECT / "one_click.py", *sorted((PROJECT / "installer").glob("*.py"))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_installer_imports_the_standard_library_only(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    named += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    allowed = {*sys.stdlib_module_names, "installer"}
    assert [name for name in named if name.partition(".")[0] not in allowed] == []


def test_old_pythons_can_read_the_first_file() -> None:
    ast.parse((PROJECT / "one_click.py").read_text(encoding="utf-8"), feature_version=(3, 8))


def test_help_tells_every_command_and_installs_nothing(checkout: Checkout) -> None:
    status, printed = checkout.run("--help")
    assert status == 0
    assert all(command in printed for command in ("install", "update", "doctor", "bench", "test", "check", "--set"))
    assert not checkout.layout.files.exists()


def test_doctor_tells_what_is_missing_and_changes_nothing(checkout: Checkout) -> None:
    status, printed = checkout.run("doctor")
    assert status == 1
    assert "not made yet" in printed
    assert "one_click.py install" in printed
    assert not checkout.layout.files.exists()


def test_unusable_folder_is_reported_without_a_traceback(checkout: Checkout) -> None:
    checkout.layout.files.write_text("in the way", encoding="utf-8")
    status, printed = checkout.run("install")
    assert status == 1
    assert str(checkout.layout.files) in printed
    assert "What to do:" in printed
    assert "Traceback" not in printed


def test_taken_port_is_found() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert "choose another" in examine_port(port, "API (--api-port)").advice
    assert examine_port(port, "API (--api-port)").advice == ""


@pytest.mark.parametrize(
    ("release", "family"),
    [
        ('ID=ubuntu\nID_LIKE="debian"\n', "debian"),
        ('NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n', "debian"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "fedora"),
        ("ID=arch\n", "arch"),
        ("ID=unheard-of\n", ""),
    ],
)
def test_linux_family(tmp_path: Path, release: str, family: str) -> None:
    path = tmp_path / "os-release"
    path.write_text(release, encoding="utf-8")
    assert linux_family(path) == family


def test_check_runs_all_and_sums_up(checkout: Checkout) -> None:
    add_finished_installation(checkout)
    screen = io.StringIO()
    chosen = [("broken", ("no_such_module",)), ("good", ("json.tool", "--help"))]
    assert checks.run(checkout.layout, Console(screen), chosen) == 1
    assert screen.getvalue().endswith("FAILED  broken\npassed  good\n")
    assert checks.run(checkout.layout, Console(io.StringIO()), chosen[1:]) == 0


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository of the project, with installed files and user data left out as in the real one."""
    folder = make(tmp_path / "origin").root
    shutil.copy(PROJECT / ".gitignore", folder)
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    return folder


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Checkout:
    git(tmp_path, "clone", str(origin), "clone")
    clone = Checkout(tmp_path / "clone")
    clone.models.mkdir(parents=True)
    add_finished_installation(clone)
    add_model(clone)
    return clone


def test_update_brings_the_new_version_and_lets_it_install(origin: Path, clone: Checkout) -> None:
    (origin / "news.txt").write_text("new", encoding="utf-8")
    git(origin, "add", ".")
    git(origin, "commit", "-m", "second")
    status, printed = clone.run("update")
    assert status == 0, printed
    assert "Everything is set up." in printed
    assert (clone.root / "news.txt").exists()


def test_update_of_a_changed_project_says_what_stands_in_the_way(origin: Path, clone: Checkout) -> None:
    for folder in (origin, clone.root):
        (folder / "server.py").write_text(f"# of {folder.name}\n", encoding="utf-8")
        git(folder, "commit", "-a", "-m", "parted")
    status, printed = clone.run("update")
    assert status == 1
    assert "git could not bring the newest version." in printed
    assert "git status" in printed


def test_update_without_git_is_refused(checkout: Checkout) -> None:
    status, printed = checkout.run("update")
    assert status == 1
    assert "is not a git checkout" in printed
