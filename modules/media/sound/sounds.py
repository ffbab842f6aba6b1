"""Decodes recordings for whoever reads them: transcription, and chats with models that hear."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Final

from modules.errors import BadRequest, NotInstalled
from modules.media.sound.questions import SoundBlock, SoundQuestion
from modules.process.client import ProcessClient
from modules.process.failures import ProcessFailed, TimeLimitExceeded
from modules.process.limits import ProcessLimits
from modules.process.spec import ProcessSpec, harmless_environment

MAX_SOUND_BYTES: Final = 200 * 2**20
MAX_SOUND_SECONDS: Final = 4 * 3600
# Four hours of the slowest codec take about a minute on one core.
_SECONDS: Final = 300.0
_BYTES_OF_SAMPLE: Final = 4
_MISSING: Final = "Recordings cannot be read. Get what reads them with `python3 one_click.py fetch transcription`."
_SPEC: Final = ProcessSpec(
    name="the decoder of a recording",
    entry="modules.media.sound.child:run",
    environment={**harmless_environment(), "OPENBLAS_NUM_THREADS": "1"},
    limits=ProcessLimits(memory_bytes=3 * 2**29, cpu_seconds=int(_SECONDS), file_bytes=0, niceness=5),
    max_frame_bytes=MAX_SOUND_BYTES + 2**16,
    cancel_seconds=0,
)


@dataclass(frozen=True, slots=True)
class Sound:
    """Mono `samples` as little-endian 32-bit floats, `rate` of them a second."""

    samples: bytes = field(repr=False)
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / _BYTES_OF_SAMPLE / self.rate


async def decode_sound(
    content: bytes, *, rate: int, max_seconds: float = MAX_SOUND_SECONDS, param: str = "file"
) -> Sound:
    """All of a recording that fits into memory. Raises BadRequest, naming `param`."""
    blocks = stream_sound(content, rate=rate, max_seconds=max_seconds, param=param)
    async with aclosing(blocks):
        return Sound(b"".join([block async for block in blocks]), rate)


async def stream_sound(
    content: bytes, *, rate: int, max_seconds: float = MAX_SOUND_SECONDS, param: str = "file"
) -> AsyncGenerator[bytes, None]:
    """Mono samples in blocks, whatever the container, its name or its type say. Raises BadRequest, naming `param`, for
    what is no recording, breaks its decoder, or has more than `MAX_SOUND_BYTES` or `max_seconds`; NotInstalled."""
    if not content:
        raise BadRequest("The file is empty.", param=param, code="invalid_value")
    if len(content) > MAX_SOUND_BYTES:
        megabytes = MAX_SOUND_BYTES // 2**20
        raise BadRequest(f"The recording is larger than {megabytes} MiB. Send it in parts.", param=param)
    if find_spec("av") is None:
        raise NotInstalled(_MISSING, param=param)
    question = SoundQuestion(content, rate, int(max_seconds * rate))
    client: ProcessClient[SoundBlock] = ProcessClient(_SPEC, answers=SoundBlock)
    try:
        await client.start()
        stream = client.stream(question, seconds=_SECONDS)
        # Both may be large, and the reader slow.
        del content, question
        async with aclosing(stream) as blocks:
            async for block in blocks:
                yield block.samples
    except TimeLimitExceeded:
        raise BadRequest("Decoding the recording takes too long. Send a simpler file.", param=param) from None
    except ProcessFailed:
        raise BadRequest("The recording is broken, or needs too much memory.", param=param) from None
    except BadRequest as refusal:
        raise BadRequest(refusal.message, param=param, code=refusal.code) from None
    finally:
        await client.kill()
