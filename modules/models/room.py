"""How much memory is free now, and whether the installed llama.cpp can use a graphics card."""

import importlib.util
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

_GPU_LIBRARIES: Final = ("cuda", "hip", "vulkan", "metal", "sycl", "musa", "cann")
_QUERY: Final = ("--query-gpu=memory.free,memory.total", "--format=csv,noheader,nounits")
_ANSWER_SECONDS: Final = 10
_CONTROL_GROUP: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes. `gpu_free` and `gpu_total` are sums over all graphics cards, None where that is not known."""

    host_free: int
    host_total: int
    gpu_free: int | None = None
    gpu_total: int | None = None


def room_now() -> Room:
    """Blocks while the driver answers."""
    free, total = host_room()
    cards = _nvidia_cards()
    if not cards:
        return Room(free, total)
    return Room(free, total, sum(free for free, _ in cards), sum(total for _, total in cards))


def host_room(group: Path = _CONTROL_GROUP) -> tuple[int, int]:
    """Free and whole main memory, in bytes: of the machine, or of the container that bounds it (Linux, cgroup v2).

    Files in the page cache count as free: the system takes their memory back when somebody needs it.
    """
    memory = psutil.virtual_memory()
    try:
        bound = int((group / "memory.max").read_text(encoding="ascii"))
        used = int((group / "memory.current").read_text(encoding="ascii"))
        stat = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
        used -= int(stat.get("inactive_file", 0)) + int(stat.get("active_file", 0))
    except (OSError, ValueError):
        # No such group, or one without a bound, which says "max".
        return memory.available, memory.total
    return min(memory.available, max(0, bound - used)), min(memory.total, bound)


def can_use_gpu() -> bool:
    """Whether llama.cpp was built for a graphics card: told by its libraries' names, so that it need not be loaded."""
    found = importlib.util.find_spec("llama_cpp")
    if found is None or not found.origin:
        return False
    names = [path.name.lower() for path in (Path(found.origin).parent / "lib").glob("*ggml-*")]
    return any(f"ggml-{library}" in name for name in names for library in _GPU_LIBRARIES)


def _nvidia_cards() -> list[tuple[int, int]]:
    """Free and whole memory of each card, in bytes; empty without NVIDIA's tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        done = subprocess.run(
            [tool, *_QUERY],
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        return [_card(line) for line in done.stdout.splitlines() if line.strip()]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def _card(line: str) -> tuple[int, int]:
    free, total = line.split(",")
    return int(free) * 2**20, int(total) * 2**20
