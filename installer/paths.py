"""Where the installer reads and writes: everything it makes stands under `installer_files/`."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of one checkout. `root` is the folder that holds `one_click.py`."""

    root: Path

    @property
    def server(self) -> Path:
        return self.root / "server.py"

    @property
    def requirements(self) -> Path:
        return self.root / "requirements"

    @property
    def files(self) -> Path:
        return self.root / "installer_files"

    @property
    def environment(self) -> Path:
        return self.files / "env"

    @property
    def python(self) -> Path:
        within = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
        return self.environment / within

    @property
    def state(self) -> Path:
        return self.files / "state.json"

    @property
    def lock(self) -> Path:
        return self.files / "install.lock"

    @property
    def logs(self) -> Path:
        return self.files / "logs"

    @property
    def test_report(self) -> Path:
        return self.logs / "tests.xml"

    @property
    def wheels(self) -> Path:
        return self.files / "wheels"

    @property
    def build(self) -> Path:
        return self.files / "build"

    @property
    def downloads(self) -> Path:
        return self.files / "downloads"

    @property
    def test_clients(self) -> Path:
        chosen = os.environ.get("TEST_CLIENTS_DIR")
        return Path(chosen) if chosen else self.files / "test_clients"

    @property
    def client_requirements(self) -> Path:
        return self.root / "tests" / "api" / "clients" / "older.txt"

    @property
    def client_packages(self) -> Path:
        return self.root / "tests" / "api" / "clients" / "package.json"

    @property
    def test_models(self) -> Path:
        chosen = os.environ.get("TEST_MODELS_DIR")
        return Path(chosen) if chosen else self.files / "test_models"
