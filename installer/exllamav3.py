"""Puts exllamav3 into the environment: the wheel that was compiled for the PyTorch there.

Its kernels are compiled for one PyTorch, CUDA, Python and system each, and only its releases on GitHub have them: the
package of the index has to be compiled.
"""

import hashlib
import json
import re
import shutil
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from installer.console import Console
from installer.diagnosis import AGAIN
from installer.failures import StepFailed
from installer.hardware import Hardware, cuda_version
from installer.paths import Layout
from installer.pip import Pip
from installer.programs import ask

PACKAGE = "exllamav3"
VERSION = "1.6.5"
RELEASE = f"https://api.github.com/repos/turboderp-org/exllamav3/releases/tags/v{VERSION}"
_PLACE = "https://github.com/turboderp-org/exllamav3/releases/download/"
_PROBE = (
    "import json, sys, torch; print(json.dumps([torch.__version__.split('+')[0], torch.version.cuda or '', "
    "'cp%d%d' % sys.version_info[:2]]))"
)
TRIAL = "import torch, exllamav3_ext"
_PLATFORMS = {("Linux", "x86_64"): "linux_x86_64", ("Windows", "AMD64"): "win_amd64"}
_NAME = re.compile(
    r"exllamav3-(?P<version>[^+]+)\+cu(?P<cuda>\d+)\.torch(?P<torch>[\d.]+)-(?P<python>cp\d+)-\w+-(?P<platform>\w+)\.whl"
)
_SECONDS = 30
_SHOWN = 8

Read = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Build:
    """What a wheel has to be compiled for: versions of PyTorch and CUDA as "2.11.0" and "13.0"."""

    torch: str
    cuda: str
    python: str
    platform: str

    def suits(self, name: str) -> bool:
        """A wheel may name its PyTorch without the last number. CUDA has to be of the same generation."""
        found = _NAME.fullmatch(name)
        if found is None or found["version"] != VERSION:
            return False
        same_torch = self.torch == found["torch"] or self.torch.startswith(f"{found['torch']}.")
        same_cuda = found["cuda"][:2] == self.cuda.partition(".")[0]
        return same_torch and same_cuda and (found["python"], found["platform"]) == (self.python, self.platform)

    def __str__(self) -> str:
        return f"PyTorch {self.torch} with CUDA {self.cuda}, {self.python}, {self.platform}"


@dataclass(frozen=True, slots=True)
class ExLlamaV3:
    layout: Layout
    console: Console
    hardware: Hardware
    read: Read

    def install(self) -> None:
        """Raises StepFailed that says what is missing."""
        build = self.build()
        self.console.line(f"Looking for a wheel of {PACKAGE} {VERSION} for {build}")
        name, address, digest = chosen_wheel(self._release(), build)
        folder = self.layout.downloads / PACKAGE
        folder.mkdir(parents=True, exist_ok=True)
        try:
            wheel = folder / name
            wheel.write_bytes(self._checked(address, digest))
            pip = Pip(self.layout.python, self.layout.logs, self.console)
            # PyTorch stays as it is: the wheel is for this one.
            pip.must(
                f"{name} could not be installed.", PACKAGE, "install", "--prefer-binary", wheel, f"torch=={build.torch}"
            )
        finally:
            shutil.rmtree(folder)
        if ask([self.layout.python, "-c", TRIAL], seconds=300) is None:
            raise StepFailed(
                f"{name} is installed and does not run here.",
                advice=["Update NVIDIA's driver, then run the same command again."],
            )
        self.console.line(f"{PACKAGE} {VERSION} is there and runs")

    def build(self) -> Build:
        if cuda_version(self.hardware.nvidia_smi) is None:
            raise StepFailed(
                f"{PACKAGE} needs an NVIDIA graphics card with its driver, and none was found.",
                advice=["Install NVIDIA's driver (nvidia-smi must run), or take models in another format."],
            )
        system = _PLATFORMS.get((self.hardware.system, self.hardware.processor))
        if system is None:
            raise StepFailed(
                f"{PACKAGE} has no wheels for {self.hardware.system} on {self.hardware.processor}.",
                advice=["Take models in another format, for another loader."],
            )
        torch, cuda, python = json.loads(ask([self.layout.python, "-c", _PROBE], seconds=120) or '["", "", ""]')
        if not cuda:
            has = f"PyTorch {torch} is there without CUDA" if torch else "PyTorch is not there"
            raise StepFailed(
                f"{PACKAGE} needs PyTorch with CUDA, and {has}.",
                advice=["Run: python3 one_click.py install --set full, on the machine with the graphics card"],
            )
        return Build(torch, cuda, python, system)

    def _release(self) -> Mapping[str, Any]:
        try:
            found = json.loads(self.read(RELEASE))
        except (OSError, ValueError) as error:
            raise StepFailed(
                f"The wheels of {PACKAGE} {VERSION} could not be listed.", why=[str(error)], advice=[AGAIN]
            ) from error
        return found if isinstance(found, dict) else {}

    def _checked(self, address: str, digest: str) -> bytes:
        try:
            content = self.read(address)
        except OSError as error:
            raise StepFailed(f"{address} could not be fetched.", why=[str(error)], advice=[AGAIN]) from error
        found = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if found != digest:
            raise StepFailed(
                f"{address} is not the expected file.",
                why=[f"Its checksum is {found}, not {digest}."],
                advice=["The download was damaged or replaced. " + AGAIN],
            )
        return content


def chosen_wheel(release: Mapping[str, Any], build: Build) -> tuple[str, str, str]:
    """Name, address and checksum of the wheel for `build`, as the release lists them. Raises StepFailed."""
    assets: Sequence[Mapping[str, Any]] = release.get("assets") or ()
    listed = [
        (str(each.get("name")), str(each.get("browser_download_url")), str(each.get("digest"))) for each in assets
    ]
    # The later CUDA of one generation.
    fitting = sorted((each for each in listed if build.suits(each[0])), reverse=True)
    for name, address, digest in fitting:
        if address.startswith(_PLACE) and digest.startswith("sha256:"):
            return name, address, digest
    names = sorted(name for name, _, _ in listed if name.endswith(".whl"))
    raise StepFailed(
        f"{PACKAGE} {VERSION} has no wheel for {build}.",
        why=[f"There are {len(names)} wheels, among them: {', '.join(names[-_SHOWN:])}"] if names else [],
        advice=[
            "Install a PyTorch that there is a wheel for into installer_files/env, or compile the package with NVIDIA's "
            "CUDA toolkit: installer_files/env/bin/python -m pip install exllamav3",
        ],
    )


def read_address(address: str) -> bytes:
    """Raises OSError."""
    request = urllib.request.Request(address, headers={"User-Agent": "one_click"})  # noqa: S310 - constants of this file
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        content: bytes = answer.read()
        return content
