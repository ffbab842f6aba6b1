"""The chat templates of real models that the source of llama-cpp-python carries, for the tests. They come out of the
archive of the pinned version, also where the package itself was installed as a wheel."""

import hashlib
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from installer.diagnosis import AGAIN
from installer.failures import StepFailed
from installer.llama_builds import PACKAGE
from installer.pip import Pip

FOLDER = "chat_templates"
_WITHIN = "vendor/llama.cpp/models/templates"
_SUFFIX = ".jinja"

# For a new version: the digest that the failing step names, once its templates have been looked at.
DIGESTS: Mapping[str, str] = MappingProxyType(
    {
        "0.3.36": "08c764e09573ef60e499b051c1a360c32b4e6dfdf758d6ca8068cb0ee30b51bf",
    }
)


@dataclass(frozen=True, slots=True)
class TemplateSet:
    """The templates of one version; together they have the `digest`, as `digest_of` makes it."""

    version: str
    digest: str

    def is_there(self, folder: Path) -> bool:
        return digest_of(folder / FOLDER) == self.digest

    def obtain(self, folder: Path, *, pip: Pip, downloads: Path) -> None:
        """Put them into a folder in `folder`. Raises StepFailed; then what was there stays."""
        archives = downloads / FOLDER
        pip.console.line(f"Fetching the source of {PACKAGE} {self.version}")
        options = ("--no-deps", "--no-binary", PACKAGE, "--dest", archives)
        what = "The chat templates of the tests could not be fetched."
        pip.must(what, "chat-templates", "download", *options, f"{PACKAGE}=={self.version}")
        try:
            self._unpack(next(archives.glob("*.tar.gz")), folder)
        finally:
            shutil.rmtree(archives)

    def _unpack(self, archive: Path, folder: Path) -> None:
        unfinished = folder / f"{FOLDER}.part"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        try:
            unpack(archive, unfinished)
            found = digest_of(unfinished)
            if found != self.digest:
                raise StepFailed(
                    f"The chat templates of {PACKAGE} {self.version} are not the expected ones.",
                    why=[f"Their SHA-256 is {found}, not {self.digest or 'known'}."],
                    advice=[f"After a new version: put it into {Path(__file__).name}. Else: {AGAIN}"],
                )
            shutil.rmtree(folder / FOLDER, ignore_errors=True)
            unfinished.rename(folder / FOLDER)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def template_set(version: str) -> TemplateSet:
    return TemplateSet(version, DIGESTS.get(version, ""))


def unpack(archive: Path, folder: Path) -> None:
    """The templates of an archive as files in the folder, by their bare names."""
    with tarfile.open(archive) as content:
        for member in content:
            path = PurePosixPath(member.name)
            if (
                not member.isfile()
                or path.suffix != _SUFFIX
                or PurePosixPath(*path.parts[1:-1]) != PurePosixPath(_WITHIN)
            ):
                continue
            file = content.extractfile(member)
            assert file is not None
            (folder / path.name).write_bytes(file.read())


def digest_of(folder: Path) -> str:
    """Of all names and contents."""
    files = sorted(folder.glob(f"*{_SUFFIX}"))
    pieces = [f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n" for file in files]
    return hashlib.sha256("".join(pieces).encode()).hexdigest()
