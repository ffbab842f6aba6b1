"""What a source build needs from the system, and how to get it on this one."""

import platform
import shutil
from collections.abc import Mapping
from pathlib import Path

from installer.programs import ask

COMPILER_COMMANDS = {
    "debian": "sudo apt install build-essential",
    "fedora": "sudo dnf install gcc-c++ make",
    "arch": "sudo pacman -S base-devel",
    "suse": "sudo zypper install gcc-c++ make",
    "alpine": "sudo apk add build-base linux-headers",
}
ACCELERATOR_TOOLS: Mapping[str, tuple[str, str]] = {
    "cuda": ("nvcc", "Install NVIDIA's CUDA toolkit (package nvidia-cuda-toolkit, or from NVIDIA's site)."),
    "rocm": ("hipcc", "Install AMD's ROCm (on Windows: the HIP SDK)."),
    "intel": ("icpx", "Install Intel's oneAPI base toolkit and run its setvars script in this terminal first."),
}
USUAL_FOLDERS = (Path("/usr/local/cuda/bin"), Path("/opt/rocm/bin"), Path("/opt/intel/oneapi/compiler/latest/bin"))


def compiler() -> str | None:
    """The path of a C++ compiler, or None."""
    system = platform.system()
    if system == "Windows":
        return shutil.which("cl") or _visual_studio()
    if system == "Darwin" and ask(["xcode-select", "-p"]) is None:
        return None  # /usr/bin/c++ is there even so, and only offers to install the tools
    return next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), None)


def how_to_get_compiler() -> list[str]:
    """Commands for this system."""
    system = platform.system()
    if system == "Darwin":
        return ["Install Apple's command line tools: xcode-select --install"]
    if system == "Windows":
        return [
            "Install 'Build Tools for Visual Studio' with the workload 'Desktop development with C++':",
            "winget install Microsoft.VisualStudio.2022.BuildTools --override "
            '"--wait --passive --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"',
        ]
    command = COMPILER_COMMANDS.get(linux_family(Path("/etc/os-release")))
    if command:
        return [f"Install a C++ compiler: {command}"]
    return ["Install a C++ compiler (g++ or clang++) with your system's package manager."]


def missing_accelerator_tool(accelerator: str) -> str | None:
    """What to install before a source build for this accelerator, or None when it is there."""
    tool, advice = ACCELERATOR_TOOLS.get(accelerator, ("", ""))
    if not tool or shutil.which(tool) or any((folder / tool).exists() for folder in USUAL_FOLDERS):
        return None
    return advice


def linux_family(release: Path) -> str:
    """The distribution whose package manager this one uses, '' when unknown; from the os-release file."""
    if not release.is_file():
        return ""
    pairs = (line.partition("=") for line in release.read_text(encoding="utf-8").splitlines())
    fields = {key: value.strip('"') for key, _, value in pairs}
    names = [fields.get("ID", ""), *fields.get("ID_LIKE", "").split()]
    families = {"ubuntu": "debian", "rhel": "fedora", "centos": "fedora", "opensuse": "suse"}
    known = (families.get(name, name) for name in names)
    return next((name for name in known if name in COMPILER_COMMANDS), "")


def _visual_studio() -> str | None:
    finder = r"C:\Program Files (x86)\Microsoft Visual Studio\Installer\vswhere.exe"
    part = "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"
    found = ask([finder, "-products", "*", "-requires", part, "-property", "installationPath"])
    return found.strip() or None if found else None
