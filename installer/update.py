"""Brings the newest version of the project itself; what it needs is then installed by the new version's own code."""

import sys
from typing import NoReturn

from installer.console import Console
from installer.diagnosis import complaints
from installer.failures import StepFailed
from installer.paths import Layout
from installer.programs import ProgramFailed, ask, become, environment, stream


def run(layout: Layout, console: Console) -> NoReturn:
    """Raises StepFailed where the project is no git checkout, or where it and its origin have parted."""
    top = ask(["git", "-C", layout.root, "rev-parse", "--show-toplevel"])
    if top is None or not (layout.root / ".git").exists():
        raise StepFailed(
            f"{layout.root} is not a git checkout (or git is not installed), so it cannot be updated in place.",
            advice=["Get the new version the way you got this one, and move your user_data folder into it."],
        )
    console.plain("Fetching the newest version")
    _pull(layout, console)
    become([sys.executable, layout.root / "one_click.py", "install"], environment())


def _pull(layout: Layout, console: Console) -> None:
    try:
        stream(
            ["git", "-C", layout.root, "pull", "--ff-only"],
            log=layout.logs / "update.log",
            on_quiet=console.still,
            variables={"GIT_TERMINAL_PROMPT": "0"},
        )
    except ProgramFailed as failure:
        raise StepFailed(
            "git could not bring the newest version.",
            why=complaints(failure.lines),
            advice=[
                "The branch must follow its origin without changes of its own; `git status` tells what stands in the way."
            ],
        ) from failure
