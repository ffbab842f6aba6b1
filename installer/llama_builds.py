"""The builds of llama-cpp-python: CMake arguments and prebuilt wheels per accelerator, and the key of a build."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from installer.hardware import Hardware, cuda_version
from installer.requirement_files import pins

PACKAGE = "llama-cpp-python"
WHEEL_INDEX = "https://abetlen.github.io/llama-cpp-python/whl"
"""The project's own index of prebuilt wheels, one folder per accelerator."""

# ggml sets up the tile registers of Intel's AMX once for each thread and never looks at them again; where they are lost
# in between, as on some virtual machines, the process dies of an illegal instruction. So its AMX kernels stay out where
# `installer.amx` does not find them to work.
WITHOUT_AMX = "-U__AMX_INT8__"
NATIVE = ("-DGGML_NATIVE=on", f"-DCMAKE_C_FLAGS={WITHOUT_AMX}", f"-DCMAKE_CXX_FLAGS={WITHOUT_AMX}")

CMAKE_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "cpu": NATIVE,
    "cuda": (*NATIVE, "-DGGML_CUDA=on"),
    "rocm": (*NATIVE, "-DGGML_HIP=on"),
    "apple": ("-DGGML_NATIVE=on", "-DGGML_METAL=on"),
    "intel": (*NATIVE, "-DGGML_SYCL=on", "-DCMAKE_C_COMPILER=icx", "-DCMAKE_CXX_COMPILER=icpx"),
}

# The CUDA 12 libraries of requirements/cuda.txt serve every wheel built with CUDA 12, and newer drivers run it too.
CUDA_FOLDERS = ((12, 5), (12, 4), (12, 3), (12, 2), (12, 1))


def version(requirements: Path) -> str:
    """The one pinned version; it stands in requirements/constraints.txt."""
    return pins(requirements / "base.txt")[PACKAGE]


def build_key(requirements: Path, accelerator: str, chosen_by_user: str = "") -> str:
    """Names a build: another version, accelerator or CMake argument makes another key.

    `chosen_by_user` is CMAKE_ARGS; the key with it begins with the key without it.
    """
    key = f"{version(requirements)}-{accelerator}-{_short_digest(' '.join(CMAKE_ARGUMENTS[accelerator]))}"
    return f"{key}-{_short_digest(chosen_by_user)}" if chosen_by_user else key


def cmake_arguments(accelerator: str, chosen_by_user: str = "", *, with_amx: bool = False) -> str:
    """The table's arguments, then CMAKE_ARGS, which therefore wins. `with_amx` where its kernels were found to work."""
    usual = [each for each in CMAKE_ARGUMENTS[accelerator] if not (with_amx and WITHOUT_AMX in each)]
    return " ".join([*usual, *chosen_by_user.split()])


def prebuilt_folders(accelerator: str, hardware: Hardware) -> tuple[str, ...]:
    """The wheel index's folders to try, best first. Vulkan wheels run on every vendor's cards."""
    if accelerator == "cuda":
        newest = cuda_version(hardware.nvidia_smi) or (12, 4)
        return tuple(f"cu{major}{minor}" for major, minor in CUDA_FOLDERS if (major, minor) <= newest)
    if accelerator == "rocm":
        return ("hip-radeon" if hardware.system == "Windows" else "rocm72", "vulkan")
    return {"cpu": ("cpu",), "apple": ("metal",), "intel": ("vulkan",)}[accelerator]


def library_path(environment: Path) -> dict[str, str]:
    """The variable by which the loader finds the CUDA libraries that pip put into the environment, if there are any."""
    if os.name == "nt":
        name, folders = "PATH", sorted(environment.glob("Lib/site-packages/nvidia/*/bin"))
    else:
        name, folders = "LD_LIBRARY_PATH", sorted(environment.glob("lib/python3*/site-packages/nvidia/*/lib"))
    if not folders:
        return {}
    return {name: os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get(name)])])}


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
