"""Where the files of a download are stored, partial and whole, and the record of their checksums."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from modules.errors import BadRequest
from modules.library.text_files import read_text
from modules.models.downloads.plan import MODELS, PROJECTORS, ChosenFile, DownloadChoice, shown_size
from modules.paths import UserData, atomic_write, inside_tree

# text-generation-webui's name, so that both programs recognize each other's downloads.
RECORD_NAME: Final = "huggingface-metadata.txt"

_SUM: Final = re.compile(r"\s*([0-9a-fA-F]{64})\s+(\S.*?)\s*")
_FIELD: Final = re.compile(r"(url|branch):\s*(\S+)\s*")


@dataclass(frozen=True, slots=True)
class DownloadRecord:
    """`sums` are SHA-256 in hexadecimal, by path below the place where the record counts."""

    url: str
    branch: str
    sums: Mapping[str, str]


def read_record(path: Path) -> DownloadRecord | None:
    """None when there is none, or nothing in it that can be understood."""
    try:
        lines = read_text(path).splitlines()
    except (FileNotFoundError, BadRequest):
        return None
    fields = {match[1]: match[2] for line in lines if (match := _FIELD.fullmatch(line))}
    sums = dict(_sums(lines))
    return DownloadRecord(fields.get("url", ""), fields.get("branch", ""), sums) if fields or sums else None


def write_record(path: Path, record: DownloadRecord) -> None:
    """Raises OSError."""
    now = datetime.now().astimezone()
    lines = [
        f"url: {record.url}",
        f"branch: {record.branch}",
        f"download date: {now:%Y-%m-%d %H:%M:%S}",
        "sha256sum:",
        *(f"    {value} {name}" for name, value in sorted(record.sums.items())),
    ]
    atomic_write(path, "\n".join(lines) + "\n")


def _sums(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if match := _SUM.fullmatch(line):
            yield match[2], match[1].lower()


# The catalog passes over what begins with a dot.
_WORK: Final = ".downloads"
_PARAM: Final = "files"
# A disk that is full to the last byte breaks whatever else runs on the machine.
_SPARE_BYTES: Final = 256 * 2**20


@dataclass(frozen=True, slots=True)
class PlacedFile:
    """`part` is the partial file, `staged` the whole one before all are, `final` where it belongs; one file system."""

    chosen: ChosenFile
    part: Path
    staged: Path
    final: Path

    @property
    def missing_bytes(self) -> int:
        there = next((path.stat().st_size for path in (self.staged, self.part) if path.is_file()), 0)
        return max(0, self.chosen.file.size - there)


@dataclass(frozen=True, slots=True)
class DownloadPlaces:
    """Of one user's folders."""

    data: UserData

    def root(self, place: str) -> Path:
        return {MODELS: self.data.models, PROJECTORS: self.data.mmproj}[place]

    def placed(self, choice: DownloadChoice) -> list[PlacedFile]:
        """Raises BadRequest for names of files that could lead out of the user's folders."""
        return [self._placed(choice, chosen) for chosen in choice.files]

    def _placed(self, choice: DownloadChoice, chosen: ChosenFile) -> PlacedFile:
        root = self.root(chosen.place)
        # Checked too, although only the chosen path is used: a name that leads out means a hostile repository.
        inside_tree(root, chosen.file.name, param=_PARAM)
        final = inside_tree(root, chosen.path, param=_PARAM)
        # On the same file system as its final place, so that moving it there is atomic.
        staged = root / _WORK / choice.target / chosen.path
        return PlacedFile(chosen, staged.with_name(staged.name + ".part"), staged, final)

    def record(self, target: str, *, is_folder: bool) -> Path:
        """Raises BadRequest for a target that is no name of a model."""
        final = inside_tree(self.data.models, target, param="model")
        if is_folder:
            return final / RECORD_NAME
        return self.data.models / _WORK / f"{target}.txt"

    def known(self, target: str) -> DownloadRecord | None:
        """What was written when `target`, a model of the list, was downloaded."""
        is_folder = inside_tree(self.data.models, target, param="model").is_dir()
        return read_record(self.record(target, is_folder=is_folder))

    def refuse_foreign(self, choice: DownloadChoice, url: str, placed: list[PlacedFile]) -> None:
        """Raises BadRequest when a file of another origin is where one of `placed` is to go. Into a folder of the
        repository's own name everything may go."""
        taken = [each.final for each in placed if each.final.exists()]
        if choice.is_folder or not taken:
            return
        record = self.known(choice.target)
        if record is None or record.url != url:
            raise BadRequest(
                f"There is another {taken[0].name} already. Rename or remove it first, or choose another file.",
                param=_PARAM,
            )

    def check_room(self, placed: list[PlacedFile]) -> None:
        """Raises BadRequest when the disk cannot take what is missing."""
        for place in (MODELS, PROJECTORS):
            missing = sum(each.missing_bytes for each in placed if each.chosen.place == place)
            free = shutil.disk_usage(_existing(self.root(place))).free
            if missing and missing + _SPARE_BYTES > free:
                raise BadRequest(
                    f"The download needs {shown_size(missing)} more, and the disk has {shown_size(free)} free. Make "
                    "room, or choose a smaller file.",
                    param=_PARAM,
                )

    def install(self, choice: DownloadChoice, placed: list[PlacedFile]) -> None:
        """Put whole files where they belong: a new folder at once, everything else file by file. Raises OSError."""
        folder = self.data.models / choice.target
        if choice.is_folder and not folder.exists():
            staged = self.data.models / _WORK / choice.target / choice.target
            _keep_only(staged, {each.staged for each in placed})
            # One rename: the model list never shows half a folder.
            os.replace(staged, folder)
        else:
            for each in placed:
                each.final.parent.mkdir(parents=True, exist_ok=True)
                os.replace(each.staged, each.final)
        self.clear(choice)

    def clear(self, choice: DownloadChoice) -> None:
        """Forget what was fetched of a download and is not where it belongs."""
        for work in self._work_folders(choice):
            shutil.rmtree(work, ignore_errors=True)

    def _work_folders(self, choice: DownloadChoice) -> Iterator[Path]:
        yield from (self.root(place) / _WORK / choice.target for place in (MODELS, PROJECTORS))


def _keep_only(folder: Path, files: set[Path]) -> None:
    """What an earlier attempt at other files left does not become part of the model."""
    for path in folder.rglob("*"):
        if path.is_file() and path not in files:
            path.unlink()


def _existing(folder: Path) -> Path:
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
