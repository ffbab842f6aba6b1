"""Copies of the project in which the set-up can be run for real without the network: a small server, small packages."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from installer import chat_templates, install, state
from installer.llama_builds import build_key
from installer.paths import Layout

PROJECT = Path(__file__).resolve().parents[2]
LLAMA_VERSION = "9.9"

SERVER = "import json, sys; print('SERVER ' + json.dumps(sys.argv[1:]), flush=True)\n"

LLAMA = f"__version__ = '{LLAMA_VERSION}'\ndef llama_print_system_info(): return b'none'\n"

# A build backend (PEP 517) that needs no other package. Where a gate stands, it says so and waits for its opening.
BACKEND = """
import os, pathlib, zipfile
here = pathlib.Path(__file__).parent
def build_wheel(folder, config_settings=None, metadata_directory=None):
    with open(here / "builds", "a") as builds:
        builds.write("built\\n")
    gate, opening = here / "gate", here / "opening"
    if gate.exists():
        with open(gate, "w") as told:
            told.write("waiting\\n")
            told.flush()
            opening.read_text()
    name = "slow-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("slow.py", "")
        wheel.writestr("slow-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: slow\\nVersion: 1.0\\n")
        wheel.writestr("slow-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("slow-1.0.dist-info/RECORD", "")
    return name
"""
BACKEND_SETTINGS = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "slow"
version = "1.0"
"""


@dataclass(frozen=True, slots=True)
class Checkout:
    """One copy of the project's set-up in a folder of its own."""

    root: Path

    @property
    def layout(self) -> Layout:
        return Layout(self.root)

    @property
    def models(self) -> Path:
        return self.root / "user_data" / "models"

    def start(self, *arguments: str, variables: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, str(self.root / "one_click.py"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env=surroundings(variables),
        )

    def run(self, *arguments: str, variables: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Exit status and everything printed."""
        with self.start(*arguments, variables=variables) as process:
            printed, _ = process.communicate(timeout=60)
        return process.returncode, printed


def surroundings(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a user's machine that cannot reach any package index."""
    ours = {"TEST_MODELS_DIR", "TEST_CLIENTS_DIR", "CMAKE_ARGS"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "PIP_NO_INDEX": "1", **(variables or {})}


def make(folder: Path) -> Checkout:
    """A copy of the set-up with a server that prints its arguments, and a package set that needs no index."""
    folder.mkdir(parents=True)
    shutil.copy(PROJECT / "one_click.py", folder)
    shutil.copytree(PROJECT / "installer", folder / "installer", ignore=shutil.ignore_patterns("__pycache__"))
    for script in PROJECT.glob("start_*"):
        shutil.copy(script, folder)
    (folder / "server.py").write_text(SERVER, encoding="utf-8")
    requirements = folder / "requirements"
    requirements.mkdir()
    (requirements / "constraints.txt").write_text(f"llama-cpp-python=={LLAMA_VERSION}\n", encoding="utf-8")
    (requirements / "base.txt").write_text("-c constraints.txt\n", encoding="utf-8")
    for name in ("cpu", "cuda", "rocm", "apple", "intel", "full", "dev", "speech", "transcription", "torch"):
        (requirements / f"{name}.txt").write_text("-r base.txt\n", encoding="utf-8")
    (folder / "user_data" / "models").mkdir(parents=True)
    return Checkout(folder)


def add_templates(checkout: Checkout, models: Path) -> None:
    """One chat template in the folder of the tests' models, which is all that the checkout's version comes with."""
    folder = models / chat_templates.FOLDER
    folder.mkdir()
    (folder / "a.jinja").write_text("{{ messages }}", encoding="utf-8")
    source = checkout.root / "installer" / "chat_templates.py"
    [known] = chat_templates.DIGESTS.items()
    wanted = (LLAMA_VERSION, chat_templates.digest_of(folder))
    text = source.read_text(encoding="utf-8")
    for old, new in zip(known, wanted, strict=True):
        text = text.replace(f'"{old}"', f'"{new}"')
    source.write_text(text, encoding="utf-8")


def add_model(checkout: Checkout) -> None:
    (checkout.models / "some.gguf").touch()


def add_finished_installation(checkout: Checkout, *, with_dev: bool = False) -> None:
    """An environment without packages and the state of one with all of them."""
    layout = checkout.layout
    venv.create(layout.environment, with_pip=False, symlinks=os.name != "nt")
    goal = install.goal(layout, "cpu", "cpu", with_dev=with_dev, installed=None)
    state.save(layout.state, goal)


def add_llama_wheel(checkout: Checkout, source: str = LLAMA) -> Path:
    """A small llama-cpp-python as if an earlier installation had built it."""
    folder = checkout.layout.wheels / build_key(checkout.layout.requirements, "cpu")
    folder.mkdir(parents=True)
    wheel = folder / f"llama_cpp_python-{LLAMA_VERSION}-py3-none-any.whl"
    record = f"llama_cpp_python-{LLAMA_VERSION}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("llama_cpp.py", source)
        archive.writestr(
            f"{record}/METADATA", f"Metadata-Version: 2.1\nName: llama-cpp-python\nVersion: {LLAMA_VERSION}\n"
        )
        archive.writestr(f"{record}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{record}/RECORD", "")
    return wheel


def add_slow_package(checkout: Checkout) -> Path:
    """A package in the requirement set that is built where it lies. Returns its folder, to put a gate into."""
    package = checkout.root / "slow"
    package.mkdir()
    (package / "backend.py").write_text(BACKEND, encoding="utf-8")
    (package / "pyproject.toml").write_text(BACKEND_SETTINGS, encoding="utf-8")
    base = checkout.layout.requirements / "base.txt"
    base.write_text(base.read_text(encoding="utf-8") + f"slow @ {package.as_uri()}\n", encoding="utf-8")
    return package


def arguments_of_server(printed: str) -> list[str]:
    """What the server was given, from what it printed. Fails where it was not reached."""
    line = next(line for line in printed.splitlines() if line.startswith("SERVER "))
    given: list[str] = json.loads(line.removeprefix("SERVER "))
    return given
