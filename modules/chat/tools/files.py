"""The user's own tools: `tools/<name>.py` with a dict `tool` and a function `execute`.

Each runs in a process that can be killed. A file is read again for every call, so edits count at once.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from modules.chat.tools.base import Origin, Shelf, ToolFailed, ToolInfo, checked_spec
from modules.chat.tools.file_worker import ToolAnswer, ToolQuestion
from modules.library.folder import Folder
from modules.messages import ToolSpec
from modules.process.client import ask_once
from modules.process.failures import FrameTooLarge, ProcessFailed, ProtocolBroken, TimeLimitExceeded
from modules.process.spec import ProcessSpec

# Importing a tool's file may load large libraries.
_DESCRIBE_SECONDS: Final = 20.0
_ANSWER_BYTES: Final = 4 * 2**20
# Each call starts a Python process.
_AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class _Described:
    """What a file holds: a spec, or what is wrong with it."""

    spec: ToolSpec | None = None
    problem: str = ""


class FileTools:
    """Every `.py` file of `folder`; `seconds` bound one call."""

    origin = Origin.FILE

    def __init__(self, folder: Path, *, seconds: float, describe_seconds: float = _DESCRIBE_SECONDS) -> None:
        self._folder = Folder(folder, "tool", (".py",))
        self._seconds = seconds
        self._describe_seconds = describe_seconds
        self._known: dict[str, tuple[tuple[int, int], _Described]] = {}
        self._places: Mapping[str, str] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def shelf(self) -> Shelf:
        names = await asyncio.to_thread(self._folder.names)
        self._known = {name: known for name, known in self._known.items() if name in names}
        described = dict(zip(names, await asyncio.gather(*map(self._described, names)), strict=True))
        shelf, self._places = _shelf(described)
        return shelf

    async def find(self, name: str) -> ToolSpec | None:
        return (await self.shelf()).find(name)

    async def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        answer = await self._asked(self._places.get(name, name), json.dumps(dict(arguments)).encode(), self._seconds)
        if answer.text is None:
            raise ToolFailed("The tool's process sent no answer.")
        return answer.text.decode("utf-8", "surrogatepass")

    async def aclose(self) -> None:
        return

    async def _described(self, name: str) -> _Described:
        async with self._turns:
            stamp = await asyncio.to_thread(self._stamp, name)
            known = self._known.get(name)
            if known is not None and known[0] == stamp:
                return known[1]
            described = await self._read(name)
            self._known[name] = stamp, described
            return described

    async def _read(self, name: str) -> _Described:
        try:
            answer = await self._asked(name, None, self._describe_seconds)
            return _Described(_spec(json.loads(answer.definition or b"{}")))
        except ToolFailed as failure:
            return _Described(problem=str(failure))

    async def _asked(self, name: str, arguments: bytes | None, seconds: float) -> ToolAnswer:
        path = self._folder.find(name)
        if path is None:
            raise ToolFailed(f"There is no tool file {name} any more.")
        question = ToolQuestion(str(path.resolve()), arguments)
        try:
            answer = await ask_once(_process_spec(), question, ToolAnswer, seconds=seconds)
        except TimeLimitExceeded:
            raise ToolFailed(f"It took longer than {seconds:g} seconds and was ended.") from None
        except FrameTooLarge:
            raise ToolFailed(f"Its arguments are longer than {_ANSWER_BYTES // 2**20} MiB.") from None
        except ProtocolBroken:
            raise ToolFailed(f"Its answer is longer than {_ANSWER_BYTES // 2**20} MiB.") from None
        except ProcessFailed:
            raise ToolFailed("Its process ended without an answer.") from None
        if answer.failed is not None:
            raise ToolFailed(answer.failed.decode("utf-8", "surrogatepass"))
        return answer

    def _stamp(self, name: str) -> tuple[int, int]:
        path = self._folder.find(name)
        status = os.stat(path) if path is not None else None
        return (status.st_mtime_ns, status.st_size) if status else (0, 0)


def _process_spec() -> ProcessSpec:
    """The tools are the user's own, so they get all of this process's variables."""
    return ProcessSpec(
        name="the process of a tool file",
        entry="modules.chat.tools.file_worker:run",
        environment=dict(os.environ),
        max_frame_bytes=_ANSWER_BYTES,
    )


def _shelf(described: Mapping[str, _Described]) -> tuple[Shelf, Mapping[str, str]]:
    """With the files of the tools, by the tools' names, which need not be those of the files."""
    specs: list[ToolSpec] = []
    problems: list[ToolInfo] = []
    places: dict[str, str] = {}
    for file_name, each in described.items():
        problem = each.problem
        if each.spec is not None:
            if places.setdefault(each.spec.name, file_name) == file_name:
                specs.append(each.spec)
            else:
                problem = f"Another file has a tool named {each.spec.name} too; give one of them another name."
        if problem:
            problems.append(ToolInfo(name=file_name, description="", origin=Origin.FILE, problem=problem))
    return Shelf(specs=tuple(specs), problems=tuple(problems)), places


def _spec(definition: Mapping[str, Any]) -> ToolSpec:
    """OpenAI's definition of a function, with or without the wrapper that says it is one."""
    function = definition.get("function", definition)
    if not isinstance(function, dict):
        raise ToolFailed("Its dict named tool must hold OpenAI's definition of a function.")
    return checked_spec(function.get("name"), function.get("description"), function.get("parameters"))
