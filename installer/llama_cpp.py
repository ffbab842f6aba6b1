"""Puts the pinned llama-cpp-python into the environment: a wheel kept from before, a prebuilt one, or our own build.

Every wheel is tried by importing it before it is kept, because wheels that install and do not run are common: built
for other processors, for another CUDA, or without the accelerator.
"""

import os
import shutil
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

from installer import amx, toolchain
from installer.console import Console
from installer.diagnosis import AGAIN, is_unreachable
from installer.failures import StepFailed
from installer.hardware import Hardware
from installer.llama_builds import PACKAGE, WHEEL_INDEX, cmake_arguments, library_path, prebuilt_folders, version
from installer.memory import total_memory
from installer.paths import Layout
from installer.pip import Pip
from installer.programs import ProgramFailed, stream

TRIAL = """
import sys, llama_cpp
print(llama_cpp.llama_print_system_info().decode())
if llama_cpp.__version__ != sys.argv[1]: sys.exit("it is version " + llama_cpp.__version__)
if sys.argv[2] != "cpu" and not llama_cpp.llama_supports_gpu_offload(): sys.exit("it was built without GPU support")
"""


MEMORY_PER_COMPILER = 3 << 29
"""Bytes that one compiler may take; those for GPUs take the most."""


@dataclass(frozen=True, slots=True)
class LlamaCpp:
    """One build for one environment. `key` is its `build_key`, `cmake_args` what the user wants added."""

    layout: Layout
    console: Console
    accelerator: str
    hardware: Hardware
    key: str
    cmake_args: str = ""

    def ensure(self) -> None:
        """Leave a llama-cpp-python that runs. Raises StepFailed."""
        self._kept.mkdir(parents=True, exist_ok=True)
        if self._any_kept_runs():
            return
        if self.cmake_args or not self._take_prebuilt():
            self._compile()

    def complaint(self) -> str | None:
        """Why the installed package does not work, or None."""
        try:
            stream(
                [self.layout.python, "-c", TRIAL, self._version, self.accelerator],
                log=self.layout.logs / "llama-trial.log",
                variables=library_path(self.layout.environment),
            )
        except ProgramFailed as failure:
            if failure.status < 0:
                return f"it was ended by signal {-failure.status} (built for another processor?)"
            return failure.lines[-1] if failure.lines else f"exit status {failure.status}"
        return None

    @property
    def _kept(self) -> Path:
        return self.layout.wheels / self.key

    @property
    def _pip(self) -> Pip:
        return Pip(self.layout.python, self.layout.logs, self.console)

    @property
    def _version(self) -> str:
        return version(self.layout.requirements)

    @property
    def _pinned(self) -> str:
        return f"{PACKAGE}=={self._version}"

    def _any_kept_runs(self) -> bool:
        return any(self._runs(wheel) for wheel in sorted(self._kept.glob("*.whl")))

    def _runs(self, wheel: Path) -> bool:
        """Install a wheel and import it; one that does not run is removed."""
        # As an address, because in a path pip takes some characters for the syntax of requirements.
        options = ("--no-deps", "--no-index", "--force-reinstall")
        self._pip.must(
            "The wheel of llama-cpp-python does not install.", "llama-install", "install", *options, wheel.as_uri()
        )
        complaint = self.complaint()
        if complaint is None:
            self.console.line(f"{wheel.name} runs")
            return True
        self.console.line(f"{wheel.name} does not run here: {complaint}")
        wheel.unlink()
        return False

    def _take_prebuilt(self) -> bool:
        for folder in prebuilt_folders(self.accelerator, self.hardware):
            self.console.line(f"Looking for a prebuilt wheel ({folder})")
            try:
                self._download_prebuilt(folder)
            except ProgramFailed as failure:
                if is_unreachable(failure.lines):
                    break
                continue
            if self._any_kept_runs():
                return True
        self.console.line("There is none for this machine")
        return False

    def _download_prebuilt(self, folder: str) -> None:
        # No retries: an index that does not answer must cost seconds, not minutes.
        patience = ("--retries", "0", "--timeout", "10")
        index = ("--index-url", f"{WHEEL_INDEX}/{folder}")
        options = ("--no-deps", "--only-binary", ":all:", "--dest", self._kept)
        self._pip.run(f"llama-wheel-{folder}", "download", *patience, *index, *options, self._pinned)

    def _compile(self) -> None:
        self._require_tools()
        source = self._source()
        self.console.line("Compiling it here; this takes some minutes, once")
        variables = {
            "CMAKE_ARGS": cmake_arguments(self.accelerator, self.cmake_args, with_amx=self._has_amx()),
            "CMAKE_BUILD_PARALLEL_LEVEL": str(_compilers_at_once()),
        }
        # The build folder stays until the build is done, so that an interrupted one goes on from there.
        options = ("--config-settings", f"build-dir={self.layout.build / self.key}", "--wheel-dir", self._kept)
        replace(self._pip, variables=variables).must(
            "llama-cpp-python could not be compiled.",
            "llama-build",
            "wheel",
            "--no-deps",
            "--verbose",
            *options,
            source.as_uri(),
        )
        if not self._any_kept_runs():
            raise StepFailed(
                "llama-cpp-python was compiled but does not run.",
                why=[self.complaint() or "It ran at the second try."],
                advice=["Try the processor instead: one_click.py --set cpu", f"The logs are in {self.layout.logs}"],
            )
        shutil.rmtree(self.layout.build)

    def _require_tools(self) -> None:
        advice = [] if toolchain.compiler() else toolchain.how_to_get_compiler()
        if missing := toolchain.missing_accelerator_tool(self.accelerator):
            advice += [missing, "Or run on the processor: one_click.py --set cpu"]
        if advice:
            raise StepFailed(
                f"There is no prebuilt {self._pinned} for this machine, and it cannot be compiled here.",
                why=["Something that compiling needs is missing."],
                advice=[*advice, AGAIN],
            )

    def _has_amx(self) -> bool:
        compiler = toolchain.compiler()
        if compiler is None or not amx.is_listed():
            return False
        works = amx.works(compiler)
        self.console.line("Its AMX works and is used" if works else "Its AMX does not work here and is left out")
        return works

    def _source(self) -> Path:
        """The package's source, unpacked into a folder that stays as long as the build folder does."""
        source = self.layout.build / f"source-{self._version}"
        if source.is_dir():
            return source
        unfinished = self.layout.build / "source.part"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        options = ("--no-deps", "--no-binary", PACKAGE, "--dest", unfinished)
        what = "The source of llama-cpp-python could not be fetched."
        self._pip.must(what, "llama-source", "download", *options, self._pinned)
        with tarfile.open(next(unfinished.glob("*.tar.gz"))) as archive:
            # Python 3.11 has the safe filter from its fourth release on.
            archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
            archive.extractall(unfinished)  # noqa: S202 - the filter is set above
        unpacked = next(path for path in unfinished.iterdir() if path.is_dir())
        leave_out_programs(unpacked / "CMakeLists.txt")
        unpacked.rename(source)
        return source


def leave_out_programs(build: Path) -> None:
    """The library that llama.cpp's own programs share is a quarter of the files to compile, and Python never loads it."""
    text = build.read_text(encoding="utf-8")
    build.write_text(text.replace("set(LLAMA_BUILD_COMMON ON ", "set(LLAMA_BUILD_COMMON OFF "), encoding="utf-8")


def _compilers_at_once() -> int:
    return max(1, min(os.cpu_count() or 1, total_memory() // MEMORY_PER_COMPILER))
