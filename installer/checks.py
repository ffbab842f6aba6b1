"""The one command for everything that looks at the code without running it."""

import subprocess
from collections.abc import Sequence

from installer.console import Console
from installer.paths import Layout
from installer.programs import environment

CHECKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("format", ("ruff", "format", "--check", ".")),
    ("lint", ("ruff", "check", ".")),
    ("types", ("mypy",)),
    ("scripts", ("pytest", "-q", "tests/scripts")),
    ("architecture", ("pytest", "-q", "tests/architecture")),
)


def run(layout: Layout, console: Console, checks: Sequence[tuple[str, Sequence[str]]] = CHECKS) -> int:
    """Run every check, even after one failed, and end with a summary. Returns the exit status."""
    results = {name: _passes(layout, console, name, module) for name, module in checks}
    console.plain()
    for name, passed in results.items():
        console.plain(f"{'passed' if passed else 'FAILED'}  {name}")
    return 0 if all(results.values()) else 1


def _passes(layout: Layout, console: Console, name: str, command: Sequence[str]) -> bool:
    console.plain(f"== {name}: {' '.join(command)}")
    arguments = [str(layout.python), "-m", *command]
    return subprocess.run(arguments, cwd=layout.root, env=environment(), check=False).returncode == 0
