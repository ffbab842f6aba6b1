"""Files of pictures ↔ pixels, in a process of their own that lives for one request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from modules.backends.imaging.messages import Bitmap
from modules.errors import BadRequest, EngineFailed
from modules.media.images.codec_messages import (
    CodecAnswer,
    CodecQuestion,
    EncodedPicture,
    EncodePicture,
    EnlargePicture,
    FitPictures,
    FittedPictures,
    OpenedPictures,
    OpenPictures,
)
from modules.process.client import ProcessClient
from modules.process.failures import ProcessFailed
from modules.process.limits import ProcessLimits
from modules.process.spec import ProcessSpec

_T = TypeVar("_T")
_SPEC: Final = ProcessSpec(
    name="the process that reads and writes pictures",
    entry="modules.media.images.codec_worker:run",
    # Sixteen pictures of a camera, decoded.
    limits=ProcessLimits(memory_bytes=4 * 2**30, file_bytes=0, niceness=5),
    max_frame_bytes=2**30,
    cancel_seconds=0,
)
# Generous for sixteen pictures on a slow machine; a file made to take for ever ends here.
_SECONDS: Final = 60.0


class PictureCodec:
    """Made by `picture_codec`."""

    def __init__(self, client: ProcessClient[CodecAnswer]) -> None:
        self._client = client

    async def open(self, question: OpenPictures) -> OpenedPictures:
        """Raises BadRequest for what is no picture."""
        try:
            return await self._asked(question, OpenedPictures)
        except ProcessFailed:
            raise BadRequest(
                "The image cannot be read: it is broken, or takes too much memory or time.", param="image"
            ) from None

    async def fit(self, question: FitPictures) -> FittedPictures:
        return await self._checked(question, FittedPictures)

    async def enlarge(self, question: EnlargePicture) -> Bitmap:
        return (await self._checked(question, FittedPictures)).source

    async def encode(self, question: EncodePicture) -> EncodedPicture:
        return await self._checked(question, EncodedPicture)

    async def _checked(self, question: CodecQuestion, answer: type[_T]) -> _T:
        try:
            return await self._asked(question, answer)
        except ProcessFailed as failure:
            raise EngineFailed("The process that writes pictures failed. Try again, with a smaller size.") from failure

    async def _asked(self, question: CodecQuestion, answer: type[_T]) -> _T:
        found = await self._client.ask(question, seconds=_SECONDS)
        assert isinstance(found, answer)
        return found


@asynccontextmanager
async def picture_codec() -> AsyncIterator[PictureCodec]:
    """Its process, with all that it holds, ends with the block."""
    client: ProcessClient[CodecAnswer] = ProcessClient(_SPEC, answers=CodecAnswer)
    try:
        try:
            await client.start()
        except ProcessFailed as failure:
            raise EngineFailed("The process that reads and writes pictures did not start.") from failure
        yield PictureCodec(client)
    finally:
        await client.kill()
