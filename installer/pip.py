"""Runs the virtual environment's pip with its progress on the console, and turns its failures into StepFailed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from installer.console import Console
from installer.diagnosis import complaints, cures
from installer.failures import StepFailed
from installer.programs import ProgramFailed, stream

LOADED = re.compile(
    r"^\s*(?:Downloading|Using cached|Processing) (?:\S*/)?([A-Za-z0-9_.]+)-(\d[^-\s]*)-\S+\.whl(?: \((.+)\))?$"
)
WORTH_SHOWING = re.compile(r"^\s*Downloading \S+\.tar\.gz ")
COMPILED = re.compile(r"^\s*\[(\d+)/(\d+)\]")
OPTIONS = ("--disable-pip-version-check", "--no-input")
INSTALL = ("--prefer-binary", "--no-compile")
"""Of packages: Python compiles what is used of them when it is, a small part of what pip would."""


@dataclass(frozen=True, slots=True)
class Pip:
    """pip of one environment. `variables` are added to those of the process (see `programs.environment`)."""

    python: Path
    logs: Path
    console: Console
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, title: str, verb: str, *arguments: str | Path) -> None:
        """Run `pip verb arguments`. Raises ProgramFailed; its whole output is kept in the log named after `title`."""
        stream(
            [self.python, "-m", "pip", verb, *OPTIONS, *arguments],
            log=self.log(title),
            on_line=self._show,
            on_quiet=self.console.still,
            variables=self.variables,
        )

    def must(self, what: str, title: str, verb: str, *arguments: str | Path) -> None:
        """Like `run`; a failure is a StepFailed that says `what` failed, why, and what to do."""
        try:
            self.run(title, verb, *arguments)
        except ProgramFailed as failure:
            raise self.failed(what, title, failure) from failure

    def failed(self, what: str, title: str, failure: ProgramFailed) -> StepFailed:
        """A report of a failed `run`, with the lines of its output that matter."""
        advice = [*cures(failure.lines), f"The whole output is in {self.log(title)}"]
        return StepFailed(what, why=complaints(failure.lines), advice=advice)

    def log(self, title: str) -> Path:
        return self.logs / f"{title}.log"

    def _show(self, line: str) -> None:
        if compiled := COMPILED.match(line):
            self.console.status(f"compiling, {compiled.group(1)} of {compiled.group(2)} files")
        elif line.lstrip().startswith("Installing collected packages:"):
            self.console.line(f"Installing {line.count(',') + 1} packages")
        elif loaded := LOADED.match(line):
            name, version, size = loaded.groups()
            self.console.line(f"{name} {version}" + (f" ({size})" if size else ""))
        elif WORTH_SHOWING.match(line):
            self.console.line(line.strip())
