"""Which accelerator this machine has: `look` gathers what the system tells, `accelerator_of` decides."""

import platform
import re
from dataclasses import dataclass
from pathlib import Path

from installer.programs import ask

ACCELERATORS = ("cpu", "cuda", "rocm", "apple", "intel")
PCI_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
DISPLAY_CLASS = re.compile(r"VGA|3D controller|Display controller")


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the system tells: `nvidia_smi` is that tool's output, `displays` the names of the graphics devices."""

    system: str
    processor: str
    nvidia_smi: str | None = None
    displays: tuple[str, ...] = ()
    has_amd_compute: bool = False


def accelerator_of(hardware: Hardware) -> str:
    """The accelerator to install for. A card counts only with a driver that can compute on it.

    Of Intel's graphics only Arc counts: on the ones built into processors llama.cpp is slower than on the CPU.
    """
    if hardware.system == "Darwin":
        return "apple" if hardware.processor == "arm64" else "cpu"
    if cuda_version(hardware.nvidia_smi) is not None:
        return "cuda"
    if hardware.has_amd_compute and _names(hardware, r"\bAMD\b|Radeon|Advanced Micro Devices"):
        return "rocm"
    if _names(hardware, r"\bArc\b"):
        return "intel"
    return "cpu"


def cuda_version(nvidia_smi: str | None) -> tuple[int, int] | None:
    """The newest CUDA version that the driver can run, from the head of nvidia-smi's table."""
    found = re.search(r"CUDA[^:|\n]*Version:\s*(\d+)\.(\d+)", nvidia_smi or "")
    return (int(found.group(1)), int(found.group(2))) if found else None


def graphics_cards(hardware: Hardware) -> tuple[str, ...]:
    """Names for a person to read."""
    if hardware.displays:
        return hardware.displays
    names = re.findall(r"^\|\s+\d+\s+(\S.*?)\s{2,}", hardware.nvidia_smi or "", flags=re.MULTILINE)
    return tuple(names)


def look() -> Hardware:
    """Ask this machine. Takes up to a few seconds where drivers answer slowly."""
    system = platform.system()
    return Hardware(
        system=system,
        processor=platform.machine(),
        nvidia_smi=None if system == "Darwin" else ask(["nvidia-smi"]),
        displays=_displays(system),
        has_amd_compute=system == "Windows" or Path("/dev/kfd").exists(),
    )


def _names(hardware: Hardware, pattern: str) -> bool:
    return any(re.search(pattern, name) for name in hardware.displays)


def _displays(system: str) -> tuple[str, ...]:
    if system == "Darwin":
        return tuple((ask(["sysctl", "-n", "machdep.cpu.brand_string"]) or "").splitlines())
    if system == "Windows":
        query = "(Get-CimInstance Win32_VideoController).Name"
        return tuple((ask(["powershell", "-NoProfile", "-Command", query]) or "").splitlines())
    listed = (ask(["lspci"]) or "").splitlines()
    named = tuple(line.partition(": ")[2] for line in listed if DISPLAY_CLASS.search(line))
    return named or _displays_from_sysfs(Path("/sys/class/drm"))


def _displays_from_sysfs(folder: Path) -> tuple[str, ...]:
    vendors = (path.read_text(encoding="ascii").strip() for path in sorted(folder.glob("card*/device/vendor")))
    return tuple(f"{PCI_VENDORS[vendor]} graphics" for vendor in vendors if vendor in PCI_VENDORS)
