"""One file of the Node registry: fetched over HTTPS, or by npm where only that is let through, and checked."""

import hashlib
import shutil
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from installer.console import Console
from installer.models import BLOCK

REGISTRY = "https://registry.npmjs.org"
SECONDS = 30
PACK_SECONDS = 600


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """An archive of `size` bytes."""

    name: str
    version: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.version}.tgz"

    def fetch(self, target: Path, console: Console) -> None:
        """Raises OSError when it cannot be had, or is another file; then there is no `target`."""
        console.line(f"Fetching {self.name} {self.version} ({self.size / 1e6:.0f} MB)")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._download(target, console)
        except OSError:
            self._pack(target)
        with target.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            target.unlink()
            raise OSError(f"its SHA-256 is {found}, not {self.sha256}")

    def _download(self, target: Path, console: Console) -> None:
        address = f"{REGISTRY}/{self.name}/-/{self.file_name}"
        with urllib.request.urlopen(address, timeout=SECONDS) as answer, target.open("wb") as file:  # noqa: S310 - HTTPS
            done = 0
            while block := answer.read(BLOCK):
                file.write(block)
                done += len(block)
                console.status(f"{self.name}: {done / 1e6:.0f} of {self.size / 1e6:.0f} MB")

    def _pack(self, target: Path) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise OSError("the registry cannot be reached, and there is no npm")
        command = [npm, "pack", "--silent", "--pack-destination", str(target.parent), f"{self.name}@{self.version}"]
        try:
            subprocess.run(
                command, check=True, timeout=PACK_SECONDS, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
        except subprocess.SubprocessError as error:
            raise OSError("npm cannot fetch it either") from error
        (target.parent / self.file_name).replace(target)
