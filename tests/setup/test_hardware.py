"""The choice of the accelerator from what systems tell, and of the builds of llama-cpp-python for it."""

from pathlib import Path

import pytest

from installer.hardware import Hardware, accelerator_of, cuda_version, graphics_cards
from installer.llama_builds import build_key, cmake_arguments, prebuilt_folders

NVIDIA_SMI = """\
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 570.86.15              Driver Version: 570.86.15      CUDA Version: 12.8     |
|-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
|=========================================+========================+======================|
|   0  NVIDIA GeForce RTX 4090        Off |   00000000:01:00.0 Off |                  N/A |
+-----------------------------------------+------------------------+----------------------+
"""
RADEON = "Advanced Micro Devices, Inc. [AMD/ATI] Navi 31 [Radeon RX 7900 XTX]"


@pytest.mark.parametrize(
    ("hardware", "accelerator"),
    [
        (Hardware("Linux", "x86_64"), "cpu"),
        (Hardware("Linux", "x86_64", nvidia_smi=NVIDIA_SMI), "cuda"),
        (Hardware("Windows", "AMD64", nvidia_smi=NVIDIA_SMI, displays=("AMD Radeon(TM) Graphics",)), "cuda"),
        (Hardware("Linux", "x86_64", nvidia_smi="NVIDIA-SMI has failed because it couldn't communicate"), "cpu"),
        (Hardware("Linux", "x86_64", displays=("NVIDIA Corporation AD102",)), "cpu"),
        (Hardware("Linux", "x86_64", displays=(RADEON,), has_amd_compute=True), "rocm"),
        (Hardware("Linux", "x86_64", displays=(RADEON,)), "cpu"),
        (Hardware("Windows", "AMD64", displays=("Intel(R) UHD Graphics 770",), has_amd_compute=True), "cpu"),
        (Hardware("Windows", "AMD64", displays=("Intel(R) Arc(TM) A770 Graphics",), has_amd_compute=True), "intel"),
        (Hardware("Linux", "x86_64", displays=("Intel Corporation DG2 [Arc A770]",)), "intel"),
        (Hardware("Darwin", "arm64", displays=("Apple M3 Pro",)), "apple"),
        (Hardware("Darwin", "x86_64", displays=("Intel(R) Core(TM) i7",)), "cpu"),
    ],
)
def test_accelerator(hardware: Hardware, accelerator: str) -> None:
    assert accelerator_of(hardware) == accelerator


def test_nvidia_smi_is_read() -> None:
    assert cuda_version(NVIDIA_SMI) == (12, 8)
    assert cuda_version(None) is None
    assert graphics_cards(Hardware("Linux", "x86_64", nvidia_smi=NVIDIA_SMI)) == ("NVIDIA GeForce RTX 4090",)


def test_cuda_wheels_are_not_newer_than_the_driver() -> None:
    old = NVIDIA_SMI.replace("12.8", "12.3")
    assert prebuilt_folders("cuda", Hardware("Linux", "x86_64", nvidia_smi=old)) == ("cu123", "cu122", "cu121")
    assert prebuilt_folders("cuda", Hardware("Linux", "x86_64", nvidia_smi=NVIDIA_SMI))[0] == "cu125"


def test_amd_wheels_depend_on_the_system() -> None:
    assert prebuilt_folders("rocm", Hardware("Linux", "x86_64"))[0] == "rocm72"
    assert prebuilt_folders("rocm", Hardware("Windows", "AMD64"))[0] == "hip-radeon"


def test_every_choice_of_a_build_changes_its_key(tmp_path: Path) -> None:
    base = tmp_path / "base.txt"
    base.write_text("llama-cpp-python==1.0\n", encoding="utf-8")
    keys = {build_key(tmp_path, "cpu"), build_key(tmp_path, "cuda"), build_key(tmp_path, "cpu", "-DX=on")}
    base.write_text("llama-cpp-python==1.1\n", encoding="utf-8")
    keys.add(build_key(tmp_path, "cpu"))
    assert len(keys) == 4


def test_cmake_args_of_the_user_come_last() -> None:
    assert cmake_arguments("cuda", "-DGGML_CUDA=off").endswith("-DGGML_CUDA=on -DGGML_CUDA=off")
