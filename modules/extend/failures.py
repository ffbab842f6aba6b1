"""What went wrong in an extension, as the operator should read it."""

import sys
import traceback
from pathlib import Path

from modules.errors import ServiceError


def place_of(failure: BaseException) -> str:
    """Kind and place of a failure, without its message, which may hold what was said in a chat."""
    frames = traceback.extract_tb(failure.__traceback__)
    where = f" at {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(failure).__name__}{where}"


def reason_for(failure: BaseException, folder: Path) -> str:
    """Why an extension was skipped, with what to do about it."""
    if isinstance(failure, ServiceError):
        return failure.message
    if isinstance(failure, ModuleNotFoundError) and failure.name:
        return (
            f"it needs the Python package {failure.name.partition('.')[0]}, which is not installed. {_remedy(folder)}"
        )
    return f"{type(failure).__name__}: {failure} ({place_of(failure)})"


def _remedy(folder: Path) -> str:
    requirements = folder / "requirements.txt"
    if requirements.is_file():
        return f"Install what it needs: {sys.executable} -m pip install -r {requirements}"
    return f"Install it with {sys.executable} -m pip install, then start again."
