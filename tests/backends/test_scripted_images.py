"""The scripted image model in a process of its own: what it draws, reports, refuses, and how it is cancelled."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from modules.backends.imaging.messages import Bitmap, DescribeImageModel, DrawImages, ImageAnswer, ImageDone, StepDone
from modules.backends.scripted.images import CARD
from modules.process.client import ProcessClient
from modules.process.failures import ProcessDied, QuestionFailed
from modules.process.spec import ProcessSpec

GREY = Bitmap(64, 32, 3, bytes([100]) * 64 * 32 * 3)


@pytest.fixture
async def engine() -> AsyncIterator[ProcessClient[ImageAnswer]]:
    client = await started()
    yield client
    await client.aclose()


async def started() -> ProcessClient[ImageAnswer]:
    spec = ProcessSpec(name="the image engine", entry="tests.backends.image_child:run", cancel_seconds=5)
    client: ProcessClient[ImageAnswer] = ProcessClient(spec, answers=ImageAnswer)
    await client.start()
    return client


def asked(prompt: str = "an orange tree", **fields: object) -> DrawImages:
    values = {"width": 64, "height": 32, "steps": 4, "guidance": 0.0, "seeds": (7,), **fields}
    return DrawImages(prompt=prompt, **values)  # type: ignore[arg-type]


async def answers_of(engine: ProcessClient[ImageAnswer], request: DrawImages) -> list[ImageAnswer]:
    async with aclosing(engine.stream(request)) as stream:
        return [answer async for answer in stream]


async def pictures_of(engine: ProcessClient[ImageAnswer], request: DrawImages) -> list[Bitmap]:
    return [each.bitmap for each in await answers_of(engine, request) if isinstance(each, ImageDone)]


async def test_the_card_says_what_can_be_asked(engine: ProcessClient[ImageAnswer]) -> None:
    assert await engine.ask(DescribeImageModel()) == CARD


async def test_each_step_is_reported_and_each_picture_has_its_seed(engine: ProcessClient[ImageAnswer]) -> None:
    answers = await answers_of(engine, asked(seeds=(7, 8), preview_every=2))
    steps = [each for each in answers if isinstance(each, StepDone)]
    assert [(each.index, each.step, each.steps) for each in steps] == [(i, s, 4) for i in (0, 1) for s in (1, 2, 3, 4)]
    assert [each.preview is not None for each in steps] == [False, True, False, False] * 2
    finished = [each for each in answers if isinstance(each, ImageDone)]
    assert [(each.index, each.seed) for each in finished] == [(0, 7), (1, 8)]
    assert all(each.bitmap.is_sound and (each.bitmap.width, each.bitmap.height) == (64, 32) for each in finished)
    assert finished[0].bitmap != finished[1].bitmap


async def test_the_same_request_gives_the_same_picture(engine: ProcessClient[ImageAnswer]) -> None:
    first, again = await pictures_of(engine, asked()), await pictures_of(engine, asked())
    assert first == again
    for other in (asked("a blue tree"), asked(seeds=(8,)), asked(negative_prompt="leaves"), asked(sampler="ddim")):
        assert await pictures_of(engine, other) != first


async def test_colours_that_the_prompt_names_are_in_the_picture(engine: ProcessClient[ImageAnswer]) -> None:
    data = (await pictures_of(engine, asked("a red thing")))[0].data
    red, green, blue = (sum(data[channel::3]) for channel in range(3))
    assert red > 2 * max(green, blue)


async def test_a_source_shows_through_by_what_strength_leaves(engine: ProcessClient[ImageAnswer]) -> None:
    drawn = (await pictures_of(engine, asked(source=GREY, strength=1.0)))[0]
    assert drawn == (await pictures_of(engine, asked()))[0]
    faint = (await pictures_of(engine, asked(source=GREY, strength=0.1)))[0]
    assert max(abs(pixel - 100) for pixel in faint.data) <= 16
    answers = await answers_of(engine, asked(source=GREY, strength=0.5))
    assert sum(isinstance(each, StepDone) for each in answers) == 2


async def test_a_mask_says_what_is_drawn_anew(engine: ProcessClient[ImageAnswer]) -> None:
    mask = bytes([255] * 32 + [0] * 32) * 32
    data = (await pictures_of(engine, asked(source=GREY, mask=mask)))[0].data
    drawn = (await pictures_of(engine, asked()))[0].data
    row = slice(0, 32 * 3)
    assert data[row] == drawn[row]
    # The rest is not quite what it was: whoever asked puts the source's pixels back.
    assert set(data[32 * 3 : 64 * 3]) == {103}


async def test_transparent_pictures_have_alpha(engine: ProcessClient[ImageAnswer]) -> None:
    picture = (await pictures_of(engine, asked(is_transparent=True)))[0]
    assert picture.channels == 4
    assert picture.is_sound
    assert {picture.data[3], picture.data[4 * (64 * 16 + 32) + 3]} == {0, 255}


async def test_cancelling_frees_the_engine_within_a_step(engine: ProcessClient[ImageAnswer]) -> None:
    async with aclosing(engine.stream(asked("stall", steps=50))) as stream:
        assert isinstance(await anext(stream), StepDone)
    assert await pictures_of(engine, asked())


async def test_failures_are_told_and_a_crash_ends_the_process() -> None:
    client = await started()
    with pytest.raises(QuestionFailed, match="RuntimeError"):
        await answers_of(client, asked("fail"))
    with pytest.raises(ProcessDied):
        await answers_of(client, asked("crash"))
    await client.aclose()
