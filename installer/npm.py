"""One package of the Node registry: fetched by npm, from wherever that is set up to fetch, and checked."""

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from installer.console import Console

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
        self._pack(target)
        with target.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            target.unlink()
            raise OSError(f"its SHA-256 is {found}, not {self.sha256}")

    def _pack(self, target: Path) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise OSError("there is no npm")
        command = [npm, "pack", "--silent", "--pack-destination", str(target.parent), f"{self.name}@{self.version}"]
        try:
            subprocess.run(
                command, check=True, timeout=PACK_SECONDS, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
        except subprocess.SubprocessError as error:
            raise OSError("npm cannot fetch it") from error
        (target.parent / self.file_name).replace(target)
