"""Tells what was found on this machine, what is missing, and what to do. Changes nothing."""

import json
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from installer import state, toolchain, virtual_environment
from installer.arguments import models_folder
from installer.console import Console
from installer.hardware import Hardware, accelerator_of, cuda_version, graphics_cards, look
from installer.llama_builds import PACKAGE
from installer.memory import total_memory
from installer.models import MODEL_SUFFIXES
from installer.paths import Layout
from installer.programs import ask
from installer.requirement_files import pins

PORTS = {5000: "API (--api-port)", 7860: "web UI (--listen-port)"}
ROOM_NEEDED = 3_000_000_000
CPU_FEATURES = ("avx", "avx2", "avx512f", "avx512_vnni", "amx_int8", "f16c", "fma", "asimd", "sve")
VERSIONS = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
SHOWN_MODELS = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `advice` says what to do and makes it a thing that is missing."""

    label: str
    found: str
    advice: str = ""


def run(layout: Layout, console: Console) -> int:
    """Print the report. Returns 1 when something is missing."""
    findings = list(examine(layout, look()))
    width = max(len(finding.label) for finding in findings)
    for finding in findings:
        console.plain(f"{'--' if finding.advice else 'ok'}  {finding.label:<{width}}  {finding.found}")
        if finding.advice:
            console.plain(f"    {'':<{width}}  -> {finding.advice}")
    missing = sum(1 for finding in findings if finding.advice)
    console.plain()
    console.plain("Nothing is missing." if not missing else f"{missing} thing(s) to look at, marked --.")
    return 1 if missing else 0


def examine(layout: Layout, hardware: Hardware) -> Iterator[Finding]:
    """Every finding, from the machine up to the project."""
    yield Finding("system", f"{platform.platform()} ({platform.machine()})")
    yield Finding("processor", f"{os.cpu_count()} cores; {' '.join(_cpu_features()) or 'features unknown'}")
    yield Finding("memory", f"{total_memory() / 2**30:.1f} GiB")
    yield _graphics(hardware)
    yield _disk(layout)
    yield Finding("Python", f"{platform.python_version()} at {sys.executable}")
    yield _compiler()
    yield from _environment(layout)
    yield _models(models_folder((), layout.root))
    yield from (examine_port(number, use) for number, use in PORTS.items())


def _cpu_features() -> list[str]:
    listed = Path("/proc/cpuinfo")
    if listed.is_file():
        text = listed.read_text(encoding="utf-8", errors="replace")
    else:
        text = ask(["sysctl", "-n", "machdep.cpu.features", "machdep.cpu.leaf7_features"]) or ""
    words = set(text.lower().split())
    return [feature for feature in CPU_FEATURES if feature in words]


def _graphics(hardware: Hardware) -> Finding:
    names = ", ".join(graphics_cards(hardware)) or "none found"
    driver = cuda_version(hardware.nvidia_smi)
    cuda = f"; driver for CUDA {driver[0]}.{driver[1]}" if driver else ""
    has_idle_nvidia = driver is None and "NVIDIA" in names and hardware.system != "Darwin"
    advice = "Install NVIDIA's driver (nvidia-smi must run), then: one_click.py --set auto" if has_idle_nvidia else ""
    return Finding("graphics", f"{names}{cuda}; set for this hardware: {accelerator_of(hardware)}", advice)


def _disk(layout: Layout) -> Finding:
    free = shutil.disk_usage(layout.root).free
    advice = "Free some space: the set-up needs about 3 GB, models more." if free < ROOM_NEEDED else ""
    return Finding("free disk", f"{free / 1e9:.1f} GB in {layout.root}", advice)


def _compiler() -> Finding:
    path = toolchain.compiler()
    if path:
        return Finding("C++ compiler", path)
    return Finding("C++ compiler", "none (needed only where there is no prebuilt wheel)")


def _environment(layout: Layout) -> Iterator[Finding]:
    advice = "Run: python3 one_click.py install"
    if not layout.python.exists():
        yield Finding("environment", "not made yet", advice)
        return
    version = virtual_environment.ask_version(layout.python)
    if version is None or not virtual_environment.is_sound(layout):
        yield Finding("environment", f"broken: {layout.environment}", advice)
        return
    installed = state.load(layout.state)
    finished = installed is not None and bool(installed.requirements)
    chosen = f", set {installed.set_name}" if installed else ""
    yield Finding("environment", f"Python {version}{chosen}", "" if finished else f"It is unfinished. {advice}")
    yield _packages(layout)


def _packages(layout: Layout) -> Finding:
    answer = ask([layout.python, "-c", VERSIONS], seconds=60)
    versions: dict[str, str] = json.loads(answer) if answer else {}
    present = {_plain(name): version for name, version in versions.items()}
    constraints = pins(layout.requirements / "constraints.txt")
    wanted = {PACKAGE: constraints[PACKAGE]} | {
        name: version for name, version in pins(layout.requirements / "base.txt").items() if name not in constraints
    }
    wrong = [
        f"{name} {present.get(_plain(name), 'missing')} (wanted {version})"
        for name, version in wanted.items()
        if present.get(_plain(name)) != version and not (name == "uvloop" and sys.platform == "win32")
    ]
    shown = ", ".join(wrong) or ", ".join(f"{name} {version}" for name, version in wanted.items())
    return Finding("packages", shown, "Run: python3 one_click.py install" if wrong else "")


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _models(folder: Path) -> Finding:
    files = sorted(path for path in folder.rglob("*") if path.suffix in MODEL_SUFFIXES)
    named = [f"{path.relative_to(folder)} ({path.stat().st_size / 1e9:.1f} GB)" for path in files[:SHOWN_MODELS]]
    more = f" and {len(files) - SHOWN_MODELS} more" if len(files) > SHOWN_MODELS else ""
    if not files:
        return Finding("models", f"none in {folder}", "Run: python3 one_click.py install (or put a .gguf file there)")
    return Finding("models", ", ".join(named) + more)


def examine_port(number: int, use: str) -> Finding:
    """Whether a server of this machine could listen there."""
    with socket.socket() as probe:
        if sys.platform != "win32":
            # As servers do: a port whose last connections are still closing is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError as problem:
            return Finding(f"port {number}", f"taken ({problem.strerror})", _advice_for_port(number, use))
    return Finding(f"port {number}", f"free, for the {use.partition(' (')[0]}")


def _advice_for_port(number: int, use: str) -> str:
    mac = " (macOS: AirPlay Receiver has it; switch it off in the settings)" if sys.platform == "darwin" else ""
    return f"End the program that has port {number}{mac}, or choose another for the {use}."
