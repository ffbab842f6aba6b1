"""Clients that the tests run as programs of their own: an environment for those that need older packages than ours,
and Node packages. Both stand in one folder, with a mark of what they were made from."""

import hashlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from installer.console import Console
from installer.diagnosis import complaints
from installer.failures import StepFailed
from installer.paths import Layout
from installer.pip import INSTALL, Pip
from installer.programs import ProgramFailed, stream


def is_there(layout: Layout) -> bool:
    """Also where nothing is asked for."""
    mark = layout.test_clients / "made-from"
    if not layout.client_requirements.is_file():
        return True
    return mark.is_file() and mark.read_text(encoding="utf-8") == _sources(layout)


def _sources(layout: Layout) -> str:
    """A digest of what is asked for, and of the Python that it is for."""
    wanted = (layout.client_requirements, layout.client_packages)
    texts = [path.read_bytes() for path in wanted if path.is_file()]
    return hashlib.sha256(b"\0".join([sys.version.encode(), *texts])).hexdigest()


@dataclass(frozen=True, slots=True)
class ClientSet:
    """Sets the folder up. Raises StepFailed."""

    layout: Layout
    console: Console

    def install(self) -> None:
        shutil.rmtree(self.layout.test_clients, ignore_errors=True)
        self.layout.test_clients.mkdir(parents=True)
        self._python_packages()
        self._node_packages()
        (self.layout.test_clients / "made-from").write_text(_sources(self.layout), encoding="utf-8")

    def _python_packages(self) -> None:
        environment = self.layout.test_clients / "venv"
        self._must("Python's environment for them", [sys.executable, "-m", "venv", environment])
        within = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
        pip = Pip(environment / within, self.layout.logs, self.console)
        what = "The clients of the tests could not be installed."
        pip.must(what, "test-clients", "install", *INSTALL, "-r", self.layout.client_requirements)

    def _node_packages(self) -> None:
        npm = shutil.which("npm")
        if npm is None:
            self.console.line("There is no npm here: the tests with Node are skipped")
            return
        shutil.copy(self.layout.client_packages, self.layout.test_clients / "package.json")
        self._must("The Node packages", [npm, "install", "--no-audit", "--no-fund", "--loglevel=error"])

    def _must(self, what: str, command: list[str | Path]) -> None:
        log = self.layout.logs / "test-clients.log"
        try:
            stream(command, log=log, on_quiet=self.console.still, folder=self.layout.test_clients)
        except ProgramFailed as failure:
            advice = [f"The whole output is in {log}"]
            raise StepFailed(
                f"{what} could not be installed.", why=complaints(failure.lines), advice=advice
            ) from failure
