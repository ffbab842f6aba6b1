"""Templates that come in requests run in a child process, which is killed when one takes too long or too much memory.

The child is started by the first such template and ends when none has come for a while, when it is closed, and with
this process. Messages are JSON behind a length of four bytes, so nothing that comes back is run.
"""

import asyncio
import json
import logging
import os
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from typing import Any, Final

from modules.errors import BadRequest
from modules.paths import PROGRAM_FOLDER
from modules.prompt.templates.render import TemplateKilled, TemplateRefused

_log = logging.getLogger(__name__)

LENGTH: Final = struct.Struct(">I")
READY: Final = b"\n"
RENDER_SECONDS: Final = 2.0
_START_SECONDS: Final = 30.0
_IDLE_SECONDS: Final = 120.0
_END_SECONDS: Final = 2.0
_COMMAND: Final = (sys.executable, "-m", "modules.prompt")
# Neither keys nor anything else of the server's surroundings is the template's business.
_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TZ", "PYTHONHOME")


class ForeignRenderer:
    """Renders one template at a time. `seconds` bound one rendering, waiting for others not counted."""

    def __init__(
        self,
        *,
        seconds: float = RENDER_SECONDS,
        idle_seconds: float = _IDLE_SECONDS,
        command: Sequence[str] = _COMMAND,
    ) -> None:
        self._seconds = seconds
        self._idle_seconds = idle_seconds
        self._command = command
        self._turn = asyncio.Lock()
        self._process: Process | None = None
        self._idle: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """Of the child, while there is one."""
        return None if self._process is None else self._process.pid

    async def render(self, source: str, variables: Mapping[str, Any], *, param: str) -> str:
        """Raises TemplateRefused, TemplateKilled, or BadRequest that names `param` and says what is wrong with the template."""
        answer = await self._answer(source, dict(variables), param)
        return await asyncio.to_thread(_rendered, answer, param)

    async def attempt(self, source: str, conversations: Sequence[Mapping[str, Any]], *, param: str) -> list[str | None]:
        """One text for each of `conversations`, None where `render` would raise; asked at once. `seconds` bound them
        together. Raises TemplateKilled."""
        answer = await self._answer(source, list(map(dict, conversations)), param)
        match json.loads(answer):
            case {"texts": list(texts)} if len(texts) == len(conversations):
                return texts
            case {"failed": str(words)}:
                raise BadRequest(words, param=param)
        raise _no_answer(param)

    async def _answer(self, source: str, variables: object, param: str) -> bytes:
        question = await asyncio.to_thread(_packed, source, variables, param)
        async with self._turn:
            self._stay()
            process = self._process or await self._started()
            try:
                answer = await asyncio.wait_for(_asked(process, question), self._seconds)
            except TimeoutError:
                raise TemplateKilled(
                    f"The chat template takes longer than {self._seconds:g} seconds.", param=param
                ) from None
            except (asyncio.IncompleteReadError, ConnectionError):
                raise TemplateKilled("The chat template needs too much memory.", param=param) from None
            else:
                self._wait_for_more()
            finally:
                if self._idle is None:
                    await self._end(process)
        return answer

    async def aclose(self) -> None:
        async with self._turn:
            self._stay()
            if self._process is not None:
                await self._end(self._process)

    async def _started(self) -> Process:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd=PROGRAM_FOLDER, env=environment
        )
        assert process.stdout is not None
        try:
            await asyncio.wait_for(process.stdout.readexactly(len(READY)), _START_SECONDS)
        except BaseException:
            await self._end(process)
            raise
        self._process = process
        return process

    async def _end(self, process: Process) -> None:
        """What the process still does is for nobody, so it is not asked."""
        self._process = None
        if process.returncode is None:
            process.kill()
        await asyncio.shield(process.communicate())

    def _stay(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = None

    def _wait_for_more(self) -> None:
        self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self._leave)

    def _leave(self) -> None:
        """Without its input the child ends by itself."""
        process, self._process, self._idle = self._process, None, None
        if process is not None and process.stdin is not None:
            process.stdin.close()


def _packed(source: str, variables: object, param: str) -> bytes:
    try:
        body = json.dumps([source, variables]).encode()
    except RecursionError:
        raise BadRequest("The conversation is nested too deeply for a chat template.", param=param) from None
    return LENGTH.pack(len(body)) + body


async def _asked(process: Process, question: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(question)
    await process.stdin.drain()
    (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    return await process.stdout.readexactly(length)


def _rendered(answer: bytes, param: str) -> str:
    match json.loads(answer):
        case {"text": str(text)}:
            return text
        case {"refused": str(words)}:
            raise TemplateRefused(words, param="messages")
        case {"failed": str(words)}:
            raise BadRequest(words, param=param)
    raise _no_answer(param)


def _no_answer(param: str) -> BadRequest:
    _log.error("the process for templates sent something that is no answer")
    return BadRequest("The chat template cannot be rendered.", param=param)
