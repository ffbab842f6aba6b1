"""A media model in a child process: its crash ends the request under way, its end frees all memory."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final, TypeVar

import msgspec

from modules.engine import wire
from modules.engine.protocols import ReportProgress
from modules.engine.types import LoadSpec, ModelCard
from modules.errors import Busy, EngineFailed, LoadFailed, NotInstalled, ServiceError
from modules.process.client import ProcessClient
from modules.process.failures import (
    FrameTooLarge,
    ProcessClosed,
    ProcessFailed,
    ProcessHung,
    QuestionFailed,
    TimeLimitExceeded,
)
from modules.process.spec import ProcessSpec

A = TypeVar("A")
_NEWS: Final = msgspec.msgpack.Decoder(wire.ModelReady | wire.LoadProgress | wire.LoadRefused)
_RETRY_SECONDS: Final = 5


class MediaProcess:
    """Made by `probe`, usable after `load`. One question at a time is with the child; further ones wait here, in turn, so
    that whoever hangs up leaves the queue at once and limits of time count from a question's turn."""

    def __init__(self, spec: LoadSpec, process: ProcessSpec) -> None:
        self._spec = spec
        self._client: ProcessClient[msgspec.Raw] = ProcessClient(process, answers=msgspec.Raw)
        self._card: ModelCard | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._is_loaded = False

    @classmethod
    async def probe(cls, spec: LoadSpec, process: ProcessSpec) -> "MediaProcess":
        """Start the child and let it look at the files. Raises LoadFailed, and NotInstalled where a package is missing,
        leaving no child."""
        engine = cls(spec, process)
        try:
            await engine._client.start()
        except ProcessFailed as failure:
            raise engine._load_failure(failure) from failure
        await engine._bring_up(wire.ProbeModel(spec), lambda _fraction: None)
        return engine

    async def load(self, report: ReportProgress) -> None:
        """Load the weights. Raises like `probe`."""
        await self._bring_up(wire.LoadModel(), report)
        self._is_loaded = True

    @property
    def card(self) -> ModelCard:
        assert self._card is not None
        return self._card

    @property
    def pid(self) -> int:
        return self._client.pid

    @property
    def is_alive(self) -> bool:
        return self._is_loaded and self._client.is_alive

    async def ask(
        self, question: msgspec.Struct, answers: "msgspec.msgpack.Decoder[A]", *, seconds: float | None = None
    ) -> A:
        async with aclosing(self.stream(question, answers, seconds=seconds)) as stream:
            found = [answer async for answer in stream]
        if len(found) != 1:
            raise EngineFailed(f"{self._spec.name} answered {len(found)} times where one answer was due.")
        return found[0]

    async def stream(
        self, question: msgspec.Struct, answers: "msgspec.msgpack.Decoder[A]", *, seconds: float | None = None
    ) -> AsyncGenerator[A, None]:
        async with self._my_turn():
            try:
                async with aclosing(self._client.stream(question, seconds=seconds)) as stream:
                    async for answer in stream:
                        yield answers.decode(answer)
            except ProcessFailed as failure:
                raise self._failure(failure) from failure
            except msgspec.DecodeError as error:
                # Whatever it does now, its answers cannot be relied on.
                await self._client.kill()
                raise EngineFailed(f"The process of {self._spec.name} sent what is no answer.") from error

    async def aclose(self) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def _my_turn(self) -> AsyncIterator[None]:
        if self._waiting > self._spec.max_queue:
            raise Busy(
                f"{self._waiting} requests wait for {self._spec.name} already. Try again later.",
                retry_after=_RETRY_SECONDS,
            )
        self._waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self._waiting -= 1

    async def _bring_up(self, order: wire.ProbeModel | wire.LoadModel, report: ReportProgress) -> None:
        try:
            async with aclosing(self._client.stream(order)) as stream:
                async for item in stream:
                    self._take_news(_NEWS.decode(item), report)
        except ProcessFailed as failure:
            await self._client.kill()
            raise self._load_failure(failure) from failure
        except BaseException:
            await self._client.kill()
            raise

    def _take_news(self, news: wire.ModelReady | wire.LoadProgress | wire.LoadRefused, report: ReportProgress) -> None:
        match news:
            case wire.ModelReady(card):
                self._card = card
            case wire.LoadProgress(fraction):
                report(fraction)
            case wire.LoadRefused(message, is_missing=True, fetch=words):
                raise NotInstalled(
                    f"The {self._spec.loader} loader is not installed ({message}). Install it with "
                    f"`python3 one_click.py fetch {words or self._spec.kind}`.",
                    param="model",
                )
            case wire.LoadRefused(message):
                raise LoadFailed(message)

    def _load_failure(self, failure: ProcessFailed) -> ServiceError:
        name = self._spec.name
        match failure:
            case QuestionFailed():
                return LoadFailed(f"{name} cannot be loaded: {failure}")
            case ProcessHung():
                return LoadFailed(f"{_sentence(failure)}, and was ended while it loaded. Try it again.")
        return LoadFailed(
            f"The loader crashed while it read {name}. The files may be damaged, need more memory than there is, or need a "
            "newer version of the loader's library."
        )

    def _failure(self, failure: ProcessFailed) -> ServiceError:
        name, again = self._spec.name, "The next request loads it again."
        match failure:
            case QuestionFailed():
                return EngineFailed(f"{name} could not do what was asked: {failure}")
            case FrameTooLarge():
                return EngineFailed(f"The request is larger than the process of {name} can be sent.")
            case ProcessClosed():
                return EngineFailed(f"{name} was unloaded before it had answered.")
            case TimeLimitExceeded():
                return EngineFailed(f"{name} took too long and was ended. {again}")
            case ProcessHung():
                return EngineFailed(f"{_sentence(failure)}, and was ended. {again}")
        return EngineFailed(f"The process of {name} ended unexpectedly. {again}")


def _sentence(failure: ProcessFailed) -> str:
    """It begins with the name of the process."""
    text = str(failure)
    return text[:1].upper() + text[1:]
