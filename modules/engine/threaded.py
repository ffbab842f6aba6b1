"""An engine in this process: a stepper on a thread. For the scripted backend and for tests."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, ParamSpec, TypeVar

from modules.engine.media import media_tokens
from modules.engine.outbox import News
from modules.engine.protocols import Backend
from modules.engine.stepper import Stepper
from modules.engine.streams import RequestStreams
from modules.engine.types import Chunk, Generation, MediaShape, ModelCard
from modules.errors import EngineFailed

_log = logging.getLogger(__name__)
_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


class ThreadedEngine:
    """Serves `backend` from a thread of its own; make it inside a running event loop."""

    def __init__(self, backend: Backend, *, max_queue: int = 256) -> None:
        self._backend = backend
        self._loop = asyncio.get_running_loop()
        self._stepper = Stepper(backend, self._deliver)
        bound = backend.card.parallel + max_queue
        self._streams = RequestStreams(submit=self._stepper.submit, cancel=self._stepper.cancel, bound=bound)
        self._failure: EngineFailed | None = None
        self._is_closed = False
        self._questions: set[asyncio.Future[Any]] = set()
        self._thread = threading.Thread(target=self._run, name=f"engine {backend.card.name}", daemon=True)
        self._thread.start()

    @property
    def card(self) -> ModelCard:
        return self._backend.card

    @property
    def is_alive(self) -> bool:
        return self._failure is None

    async def generate(self, generation: Generation) -> AsyncGenerator[Chunk, None]:
        self._check_alive()
        stream = self._streams.stream(generation)
        try:
            async for chunk in stream:
                yield chunk
        finally:
            await stream.aclose()

    async def tokenize(self, text: str, *, special: bool) -> list[int]:
        return await self._asked(self._backend.tokenizer.encode, text, special=special)

    async def detokenize(self, tokens: Sequence[int]) -> str:
        return await self._asked(self._backend.tokenizer.decode, tokens)

    async def media_tokens(self, shape: MediaShape) -> list[int]:
        return await self._asked(media_tokens, self._backend.tokenizer, shape)

    async def aclose(self) -> None:
        self._stepper.stop()
        await asyncio.to_thread(self._thread.join)
        self._fail(EngineFailed("The model was unloaded."))
        if not self._is_closed:
            self._is_closed = True
            if self._questions:
                # A tokenizer that is asked on another thread reads what closing frees.
                await asyncio.wait(self._questions)
            await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._stepper.close()
        self._backend.close()

    async def _asked(
        self, answer: Callable[_Arguments, _Answer], *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> _Answer:
        self._check_alive()
        question = asyncio.ensure_future(asyncio.to_thread(answer, *args, **kwargs))
        self._questions.add(question)
        question.add_done_callback(self._questions.discard)
        return await asyncio.shield(question)

    def _run(self) -> None:
        try:
            self._stepper.run()
        except Exception:  # noqa: BLE001 - whatever broke, its listeners must hear of it
            _log.exception("the engine stopped working")
            self._loop.call_soon_threadsafe(self._fail, EngineFailed("The model failed while it was generating."))

    def _check_alive(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _deliver(self, news: Sequence[News]) -> None:
        self._loop.call_soon_threadsafe(self._put, tuple(news))

    def _put(self, news: Sequence[News]) -> None:
        for job_id, item in news:
            self._streams.put(job_id, item)

    def _fail(self, failure: EngineFailed) -> None:
        if self._failure is None:
            self._failure = failure
            self._streams.fail_all(failure)
