"""What the engine is asked for a request: once for all pictures, or twice for each."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import msgspec

from modules.backends.imaging.messages import Bitmap, DrawImages, ImageAnswer, ImageDone, StepDone
from modules.engine.protocols import MediaEngine
from modules.errors import EngineFailed
from modules.media.images.codec import PictureCodec
from modules.media.images.codec_messages import EnlargePicture
from modules.media.images.plan import Drawing

_ANSWERS: Final = msgspec.msgpack.Decoder(ImageAnswer)
# In the place of a picture that is not there yet, to count the steps on it.
_NOTHING: Final = Bitmap(0, 0, 3, b"")


@dataclass(frozen=True, slots=True)
class _Place:
    """The picture number `index`, of whose `steps` so many are done."""

    index: int
    done: int
    steps: int


def answers_of(engine: MediaEngine, question: DrawImages) -> AsyncGenerator[ImageAnswer, None]:
    return engine.stream(question, _ANSWERS)


async def in_two_passes(
    engine: MediaEngine, codec: PictureCodec, drawing: Drawing, question: DrawImages
) -> AsyncGenerator[ImageAnswer, None]:
    """Each picture is drawn, enlarged, and drawn anew on itself before the next one; its steps are those of both passes."""
    for index, seed in enumerate(question.seeds):
        first = msgspec.structs.replace(question, seeds=(seed,))
        steps = first.steps_to_do + drawing.second_question(first, _NOTHING).steps_to_do
        small: Bitmap | None = None
        async with aclosing(_counted(engine, first, _Place(index, 0, steps))) as answers:
            async for answer in answers:
                if isinstance(answer, ImageDone):
                    small = answer.bitmap
                else:
                    yield answer
        if small is None or not small.is_sound or (small.width, small.height) != drawing.drawn:
            raise EngineFailed(f"{drawing.card.name} made a picture of another size than it was asked for.")
        source = await codec.enlarge(EnlargePicture(small, drawing.finished))
        second = drawing.second_question(first, source)
        async with aclosing(_counted(engine, second, _Place(index, first.steps_to_do, steps))) as answers:
            async for answer in answers:
                yield answer


async def _counted(
    engine: MediaEngine, question: DrawImages, place: _Place
) -> AsyncGenerator[StepDone | ImageDone, None]:
    """The answers about one picture, as those of the whole request."""
    async with aclosing(answers_of(engine, question)) as answers:
        async for answer in answers:
            match answer:
                case StepDone():
                    step = place.done + answer.step
                    yield msgspec.structs.replace(answer, index=place.index, step=step, steps=place.steps)
                case ImageDone():
                    yield msgspec.structs.replace(answer, index=place.index)
