"""The virtual environment: made, checked, and made anew when it is broken or half made."""

import shutil
import sys
from pathlib import Path

from installer.console import Console
from installer.diagnosis import AGAIN, complaints
from installer.failures import StepFailed
from installer.paths import Layout
from installer.programs import ProgramFailed, ask, stream

PROBE = "import sys, pip; print('%d.%d' % sys.version_info[:2])"


def ensure(layout: Layout, console: Console) -> None:
    """Leave a working environment with pip in it. Raises StepFailed."""
    if is_sound(layout):
        console.line(f"Python {ask_version(layout.python)} in {layout.environment.name} is ready")
        return
    if layout.environment.exists():
        console.line("The environment is incomplete or its Python is gone; making it anew")
        shutil.rmtree(layout.environment)
    _create(layout, console)
    if not is_sound(layout):
        raise StepFailed(
            f"The new virtual environment in {layout.environment} does not start.",
            advice=["Move the project to a local disk that allows programs to run, and try again."],
        )


def is_sound(layout: Layout) -> bool:
    """Whether its Python starts, has pip, and is still of the version that the environment was made for."""
    version = ask_version(layout.python)
    return version is not None and made_for(layout.environment / "pyvenv.cfg").startswith(version + ".")


def ask_version(python: Path) -> str | None:
    answer = ask([python, "-c", PROBE], seconds=60)
    return answer.strip() if answer else None


def made_for(configuration: Path) -> str:
    """The full version that `pyvenv.cfg` names, or ''."""
    if not configuration.is_file():
        return ""
    pairs = (line.partition("=") for line in configuration.read_text(encoding="utf-8").splitlines())
    return next((value.strip() for key, _, value in pairs if key.strip() == "version"), "")


def _create(layout: Layout, console: Console) -> None:
    log = layout.logs / "environment.log"
    try:
        stream(
            [sys.executable, "-m", "venv", layout.environment],
            log=log,
            on_quiet=console.still,
        )
    except ProgramFailed as failure:
        # Debian and Ubuntu ship venv and ensurepip as packages of their own.
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise StepFailed(
            f"Python {version} could not make a virtual environment in {layout.environment}.",
            why=complaints(failure.lines),
            advice=[f"On Debian and Ubuntu: sudo apt install python{version}-venv", AGAIN],
        ) from failure
