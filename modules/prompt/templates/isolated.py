"""Templates that come in requests, rendered in a child process that can be killed.

The child is started by the first such template and ends when none has come for a while, and when it is closed.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from modules.errors import BadRequest
from modules.process.client import ProcessClient
from modules.process.failures import FrameTooLarge, ProcessFailed, TimeLimitExceeded
from modules.process.limits import ProcessLimits
from modules.process.spec import ProcessSpec
from modules.prompt.templates.isolated_worker import RenderAnswer, RenderQuestion
from modules.prompt.templates.render import TemplateKilled, TemplateRefused

_log = logging.getLogger(__name__)

RENDER_SECONDS: Final = 2.0
_IDLE_SECONDS: Final = 120.0
# A request that is cancelled takes its rendering along: templates cannot be interrupted.
_SPEC: Final = ProcessSpec(
    name="the process for templates",
    entry="modules.prompt.templates.isolated_worker:run",
    limits=ProcessLimits(memory_bytes=2**30, file_bytes=0),
    start_seconds=30.0,
    cancel_seconds=0,
    counts_work=True,
)


class IsolatedRenderer:
    """Renders one template at a time. `seconds` of the processor bound one rendering, waiting for others not counted."""

    def __init__(self, *, seconds: float = RENDER_SECONDS, idle_seconds: float = _IDLE_SECONDS) -> None:
        self._seconds = seconds
        self._idle_seconds = idle_seconds
        self._turn = asyncio.Lock()
        self._client: ProcessClient[RenderAnswer] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """Of the child, while there is one."""
        return None if self._client is None else self._client.pid

    async def render(self, source: str, variables: Mapping[str, Any], *, param: str) -> str:
        """Raises TemplateRefused, TemplateKilled, or BadRequest that names `param` and says what is wrong with the template."""
        answer = await self._asked(source, dict(variables), param)
        if answer.refused is not None:
            raise TemplateRefused(answer.refused, param="messages")
        return str(await self._content(answer, param))

    async def attempt(self, source: str, conversations: Sequence[Mapping[str, Any]], *, param: str) -> list[str | None]:
        """One text for each of `conversations`, None where `render` would raise; asked at once. `seconds` bound them
        together. Raises TemplateKilled."""
        texts = await self._content(await self._asked(source, list(map(dict, conversations)), param), param)
        assert isinstance(texts, list)
        return texts

    async def aclose(self) -> None:
        async with self._turn:
            self._stay()
            client, self._client = self._client, None
            if client is not None:
                await client.kill()
        if self._closing:
            await asyncio.wait(self._closing)

    async def _content(self, answer: RenderAnswer, param: str) -> object:
        """Large texts are decoded beside the event loop."""
        if answer.content is None:
            raise BadRequest(answer.failed or "The chat template cannot be rendered.", param=param)
        return await asyncio.to_thread(json.loads, answer.content)

    async def _asked(self, source: str, variables: object, param: str) -> RenderAnswer:
        question = await asyncio.to_thread(_packed, source, variables, param)
        async with self._turn:
            self._stay()
            try:
                answer = await self._answer(question, param)
            except BaseException:
                client, self._client = self._client, None
                if client is not None:
                    await client.kill()
                raise
            self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self._leave)
        return answer

    async def _answer(self, question: RenderQuestion, param: str) -> RenderAnswer:
        try:
            if self._client is None:
                client: ProcessClient[RenderAnswer] = ProcessClient(_SPEC, answers=RenderAnswer)
                await client.start()
                self._client = client
            return await self._client.ask(question, seconds=self._seconds)
        except TimeLimitExceeded:
            raise TemplateKilled(
                f"The chat template takes longer than {self._seconds:g} seconds.", param=param
            ) from None
        except FrameTooLarge:
            raise BadRequest("The conversation is too large for a chat template.", param=param) from None
        except ProcessFailed as failure:
            _log.warning("a chat template of a request was not rendered: %s", failure)
            raise TemplateKilled("The chat template needs too much memory.", param=param) from None

    def _stay(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = None

    def _leave(self) -> None:
        client, self._client, self._idle = self._client, None, None
        if client is not None:
            closing = asyncio.create_task(client.aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def _packed(source: str, variables: object, param: str) -> RenderQuestion:
    try:
        return RenderQuestion(json.dumps([source, variables]).encode())
    except RecursionError:
        raise BadRequest("The conversation is nested too deeply for a chat template.", param=param) from None
