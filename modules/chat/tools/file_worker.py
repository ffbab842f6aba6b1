"""The process that loads one tool file and tells what is in it, or runs it once."""

import importlib.util
import json
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from modules.chat.tools.base import ToolFailed, answer_text
from modules.process.server import Task, serve


class ToolQuestion(msgspec.Struct, frozen=True):
    """`arguments` is JSON, since numbers in it can be larger than a frame's; None asks for the tool's definition."""

    path: str
    arguments: bytes | None = None


class ToolAnswer(msgspec.Struct, frozen=True):
    """One of them: the definition as JSON, the answer as UTF-8 in which halves of surrogate pairs have their place, or a
    sentence that says what failed."""

    definition: bytes | None = None
    text: bytes | None = None
    failed: bytes | None = None


def run() -> None:
    serve(_answers, questions=ToolQuestion)


def _answers(question: ToolQuestion, _: Task) -> Iterator[ToolAnswer]:
    yield _answer(Path(question.path), question.arguments)


def _answer(path: Path, arguments: bytes | None) -> ToolAnswer:
    try:
        module = _loaded(path)
        if arguments is None:
            return ToolAnswer(definition=_definition(module))
        return ToolAnswer(text=_packed(answer_text(module.execute(json.loads(arguments)))))
    except ToolFailed as failure:
        return ToolAnswer(failed=_packed(str(failure)))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's code may raise anything
        return ToolAnswer(failed=_packed(_description_of(error, path)))


def _packed(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


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


def _definition(module: ModuleType) -> bytes:
    definition: dict[str, Any] | None = getattr(module, "tool", None)
    if not isinstance(definition, dict):
        raise ToolFailed("It has no dict named tool with the function's definition.")
    if not callable(getattr(module, "execute", None)):
        raise ToolFailed("It has no function named execute.")
    try:
        return json.dumps(definition).encode()
    except (TypeError, ValueError, RecursionError):
        raise ToolFailed("Its dict named tool is no JSON.") from None


def _description_of(error: BaseException, path: Path) -> str:
    """The error, and the last line of the tool's file that led to it."""
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} (line {error.lineno})"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{words} (line {lines[-1]})" if lines else words
