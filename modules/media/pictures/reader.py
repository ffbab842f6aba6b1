"""Encoded pictures → `Media`, decoded in one process that is kept warm while pictures come."""

import asyncio
import hashlib
from collections import OrderedDict
from typing import Final

from modules.engine.types import Media, MediaKind
from modules.errors import BadRequest
from modules.media.pictures.questions import PictureAnswer, PictureQuestion
from modules.process.client import ProcessClient
from modules.process.failures import ProcessFailed, TimeLimitExceeded
from modules.process.limits import ProcessLimits
from modules.process.spec import ProcessSpec

_SECONDS: Final = 10.0
_IDLE_SECONDS: Final = 60.0
_FRAME_BYTES: Final = 34 * 2**20
_KEPT_BYTES: Final = 128 * 2**20
_SPEC: Final = ProcessSpec(
    name="the reader of pictures",
    entry="modules.media.pictures.worker:run",
    limits=ProcessLimits(memory_bytes=2 * 2**30, file_bytes=0, niceness=5),
    max_frame_bytes=_FRAME_BYTES,
    cancel_seconds=_SECONDS,
)


class PictureReader:
    """Decodes pictures, one at a time; keeps the last ones. A picture that takes too long ends the process, and the next
    one has a new one. To be closed with `aclose`."""

    def __init__(self, *, seconds: float = _SECONDS, idle_seconds: float = _IDLE_SECONDS) -> None:
        self._seconds = seconds
        self._idle_seconds = idle_seconds
        self._turn = asyncio.Lock()
        self._client: ProcessClient[PictureAnswer] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._kept: OrderedDict[tuple[bytes, int], Media] = OrderedDict()

    @property
    def is_warm(self) -> bool:
        """Whether a process is there."""
        return self._client is not None and self._client.is_alive

    async def picture(self, content: bytes, *, longest: int = 0, param: str) -> Media:
        """`content`, upright and in RGB on white; no side has more than `longest` pixels (0: any number). Raises
        BadRequest, in whose sentence `param` is the picture's name."""
        key = (await asyncio.to_thread(_digest, content), longest)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        answer = await self._asked(PictureQuestion(content, longest), param)
        media = await asyncio.to_thread(_media, answer)
        self._keep(key, media)
        return media

    async def size(self, content: bytes, *, longest: int = 0, param: str) -> tuple[int, int]:
        """Width and height that `picture` would have, from the header alone. Raises BadRequest."""
        answer = await self._asked(PictureQuestion(content, longest, wants_pixels=False), param)
        return answer.width, answer.height

    def end_idle(self) -> None:
        """Ends the process unless it has something to do."""
        if self._turn.locked() or self._client is None:
            return
        task = asyncio.ensure_future(self._client.aclose())
        self._client = None
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
        if self._closing:
            await asyncio.wait(self._closing)

    def _keep(self, key: tuple[bytes, int], media: Media) -> None:
        self._kept[key] = media
        while sum(len(each.data) for each in self._kept.values()) > _KEPT_BYTES:
            self._kept.popitem(last=False)

    async def _asked(self, question: PictureQuestion, param: str) -> PictureAnswer:
        async with self._turn:
            if self._idle is not None:
                self._idle.cancel()
            try:
                answer = await (await self._started()).ask(question, seconds=self._seconds)
            except TimeLimitExceeded:
                raise _refused(param, f"takes longer than {self._seconds:g} seconds to decode.") from None
            except ProcessFailed:
                raise _refused(param, "is broken or needs too much memory, and cannot be decoded.") from None
            finally:
                self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self.end_idle)
        if answer.refused:
            raise _refused(param, answer.refused)
        return answer

    async def _started(self) -> ProcessClient[PictureAnswer]:
        if self._client is None or not self._client.is_alive:
            client: ProcessClient[PictureAnswer] = ProcessClient(_SPEC, answers=PictureAnswer)
            await client.start()
            self._client = client
        return self._client


def picture_digest(width: int, height: int, data: bytes) -> bytes:
    """As `Media.digest` says."""
    return hashlib.sha256(b"image %d %d\0" % (width, height) + data).digest()


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _media(answer: PictureAnswer) -> Media:
    digest = picture_digest(answer.width, answer.height, answer.data)
    return Media(kind=MediaKind.IMAGE, data=answer.data, digest=digest, width=answer.width, height=answer.height)


def _refused(param: str, why: str) -> BadRequest:
    return BadRequest(f"{param} {why}", param=param, code="invalid_image")
