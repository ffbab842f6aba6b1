"""`one_click.py install exllamav3`: which wheel of the release is taken, and what is said where there is none."""

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from installer import exllamav3
from installer.console import Console
from installer.exllamav3 import RELEASE, VERSION, Build, ExLlamaV3, chosen_wheel
from installer.failures import StepFailed
from installer.hardware import Hardware
from installer.paths import Layout
from installer.pip import Pip
from installer.test_wheels import CarriedWheel, is_there, obtain_wheel

BUILD = Build("2.13.0", "13.0", "cp312", "linux_x86_64")
PLACE = f"https://github.com/turboderp-org/exllamav3/releases/download/v{VERSION}/"
CARD = "| NVIDIA-SMI 580.65   Driver Version: 580.65   CUDA Version: 13.0 |"


def wheel(cuda: str, torch: str, python: str = "cp312", system: str = "linux_x86_64") -> str:
    return f"exllamav3-{VERSION}+cu{cuda}.torch{torch}-{python}-{python}-{system}.whl"


def release(*names: str, content: bytes = b"wheel") -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"assets": [{"name": name, "browser_download_url": PLACE + name, "digest": digest} for name in names]}


@pytest.mark.parametrize("right", [wheel("130", "2.13.0"), wheel("132", "2.13")])
def test_the_wheel_is_the_one_for_this_pytorch(right: str) -> None:
    others = [
        wheel("128", "2.13.0"),
        wheel("130", "2.12.0"),
        wheel("130", "2.1"),
        wheel("130", "2.13.0", python="cp311"),
        wheel("130", "2.13.0", system="win_amd64"),
        "exllamav3-1.0.0+cu130.torch2.13.0-cp312-cp312-linux_x86_64.whl",
        f"exllamav3-{VERSION}.tar.gz",
    ]
    assert chosen_wheel(release(*others, right), BUILD)[0] == right


def test_where_there_is_none_the_others_are_named() -> None:
    with pytest.raises(StepFailed, match=r"no wheel for PyTorch 2\.13\.0 with CUDA 13\.0") as failed:
        chosen_wheel(release(wheel("128", "2.10.0")), BUILD)
    assert wheel("128", "2.10.0") in "\n".join(failed.value.lines())


def test_a_wheel_from_elsewhere_or_without_a_checksum_is_not_taken() -> None:
    listed = release(wheel("130", "2.13.0"))
    for name, value in (("browser_download_url", "https://example.org/a.whl"), ("digest", None)):
        with pytest.raises(StepFailed):
            chosen_wheel({"assets": [{**listed["assets"][0], name: value}]}, BUILD)


def installer(tmp_path: Path, hardware: Hardware, answers: dict[str, bytes]) -> ExLlamaV3:
    def read(address: str) -> bytes:
        if address not in answers:
            raise OSError("unreachable")
        return answers[address]

    return ExLlamaV3(Layout(tmp_path), Console(io.StringIO()), hardware, read)


@pytest.mark.parametrize(
    ("hardware", "said"),
    [
        (Hardware("Linux", "x86_64"), "needs an NVIDIA graphics card"),
        (Hardware("Linux", "aarch64", nvidia_smi=CARD), "no wheels for Linux on aarch64"),
        (Hardware("Linux", "x86_64", nvidia_smi=CARD), "needs PyTorch with CUDA, and PyTorch is not there"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, hardware: Hardware, said: str) -> None:
    with pytest.raises(StepFailed, match=said):
        installer(tmp_path, hardware, {}).install()


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, "could not be listed"),
        ({RELEASE: b"[]"}, "has no wheel for"),
        ({RELEASE: json.dumps(release(wheel("130", "2.13.0"))).encode()}, "could not be fetched"),
        (
            {RELEASE: json.dumps(release(wheel("130", "2.13.0"))).encode(), PLACE + wheel("130", "2.13.0"): b"another"},
            "is not the expected file",
        ),
    ],
)
def test_a_release_that_fails_installs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: dict[str, bytes], said: str
) -> None:
    monkeypatch.setattr(exllamav3, "ask", lambda command, seconds: json.dumps(["2.13.0", "13.0", "cp312"]))
    made = installer(tmp_path, Hardware("Linux", "x86_64", nvidia_smi=CARD), answers)
    with pytest.raises(StepFailed, match=said):
        made.install()
    assert not list(tmp_path.rglob("*.whl"))


def test_a_package_of_the_tests_is_unpacked_and_checked(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    path = tmp_path / "wheels" / "tinywheel-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tinywheel/a.py", "x = 1\n")
        archive.writestr("tinywheel-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tinywheel\nVersion: 1.0\n")
        archive.writestr("tinywheel-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tinywheel-1.0.dist-info/RECORD", "")
    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels")}
    pip = Pip(Path(sys.executable), tmp_path / "logs", Console(io.StringIO()), variables)
    right = CarriedWheel("tinywheel", "1.0", hashlib.sha256(path.read_bytes()).hexdigest(), ("tinywheel/a.py", 6))
    obtain_wheel(right, tmp_path / "models", pip=pip, downloads=tmp_path / "downloads")
    assert is_there(right, tmp_path / "models")
    wrong = CarriedWheel("tinywheel", "1.0", "0" * 64, ("tinywheel/a.py", 6))
    with pytest.raises(StepFailed, match="not the expected file"):
        obtain_wheel(wrong, tmp_path / "others", pip=pip, downloads=tmp_path / "downloads")
    assert not is_there(wrong, tmp_path / "others")
