"""The child's side of `files`: loads one tool file and tells what is in it, or runs it once.

The question is JSON on stdin, `{"path": …, "arguments": … or null}`; the answer is one of `{"tool": definition}`,
`{"text": answer}` and `{"failed": sentence}` on what was stdout at the start.
"""

import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from modules.chat.tools.base import ToolFailed, answer_text


def serve() -> None:
    question = json.load(sys.stdin)
    with os.fdopen(_kept_stdout(), "w", encoding="utf-8") as answers:
        json.dump(_answer(Path(question["path"]), question["arguments"]), answers)
    # Threads that the tool left behind are not waited for.
    os._exit(0)


def _kept_stdout() -> int:
    """The pipe to the parent; what the tool prints goes nowhere."""
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return kept


def _answer(path: Path, arguments: dict[str, Any] | None) -> dict[str, Any]:
    try:
        module = _loaded(path)
        if arguments is None:
            return {"tool": _definition(module)}
        return {"text": answer_text(module.execute(arguments))}
    except ToolFailed as failure:
        return {"failed": str(failure)}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's code may raise anything
        return {"failed": _told(error, path)}


def _loaded(path: Path) -> ModuleType:
    sys.dont_write_bytecode = True
    sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(f"tool_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _definition(module: ModuleType) -> dict[str, Any]:
    definition = getattr(module, "tool", None)
    if not isinstance(definition, dict):
        raise ToolFailed("It has no dict named tool with the function's definition.")
    if not callable(getattr(module, "execute", None)):
        raise ToolFailed("It has no function named execute.")
    try:
        json.dumps(definition)
    except (TypeError, ValueError, RecursionError):
        raise ToolFailed("Its dict named tool is no JSON.") from None
    return definition


def _told(error: BaseException, path: Path) -> str:
    """The error, and the last line of the tool's file that led to it."""
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} (line {error.lineno})"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{words} (line {lines[-1]})" if lines else words
