"""Real pipelines, tiny and with random weights, drawn by the engine in a process of its own."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import psutil
import pytest
import pytest_asyncio

from modules.backends.imaging.messages import (
    DescribeImageModel,
    DrawImages,
    ImageAbility,
    ImageCard,
    ImageDone,
    StepDone,
)
from modules.engine.protocols import MediaEngine
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import BadRequest, LoadFailed
from modules.models.loading import launch_engine
from modules.paths import PROGRAM_FOLDER

pytestmark = [pytest.mark.extended, pytest.mark.asyncio(loop_scope="module")]

MAKER: Final = """
from modules.backends.pytorch import prepare_pytorch
prepare_pytorch(1)
from tests.backends.diffusers.tiny_pipelines import main
main()
"""
ANSWERS: Final = msgspec.msgpack.Decoder(StepDone | ImageDone | ImageCard)
NAMES: Final = ("tiny-sd", "tiny-flux")
SIDE: Final = 64


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipelines")
    command = [sys.executable, "-c", MAKER]
    done = subprocess.run(command, input=str(folder), capture_output=True, text=True, check=False, cwd=PROGRAM_FOLDER)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


async def loaded(path: Path, **options: Any) -> MediaEngine:
    spec = LoadSpec(name=path.name, path=str(path), loader="diffusers", kind=ModelKind.IMAGE, options=options)
    engine: Any = await (await launch_engine(spec)).load(lambda _fraction: None)
    return engine  # type: ignore[no-any-return]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=NAMES)
async def engine(request: pytest.FixtureRequest, pipelines: Path) -> AsyncIterator[MediaEngine]:
    engine = await loaded(pipelines / request.param)
    yield engine
    await engine.aclose()


async def drawn(engine: MediaEngine, **fields: Any) -> tuple[list[StepDone], list[ImageDone]]:
    values: dict[str, Any] = {
        "prompt": "a red circle",
        "width": SIDE,
        "height": SIDE,
        "steps": 4,
        "guidance": 5.0,
        "seeds": (1,),
    }
    steps: list[StepDone] = []
    pictures: list[ImageDone] = []
    async with aclosing(engine.stream(DrawImages(**(values | fields)), ANSWERS)) as answers:
        async for answer in answers:
            assert isinstance(answer, StepDone | ImageDone)
            (steps if isinstance(answer, StepDone) else pictures).append(answer)  # type: ignore[arg-type]
    return steps, pictures


async def test_its_card_says_what_it_can_do(engine: MediaEngine) -> None:
    card = await engine.ask(DescribeImageModel(), ANSWERS)
    assert isinstance(card, ImageCard)
    assert card.family in {"sd", "flux"}
    assert set(card.abilities) == {ImageAbility.TEXT_TO_IMAGE, ImageAbility.IMAGE_TO_IMAGE, ImageAbility.INPAINT}
    assert ("euler" in card.samplers) is (card.family == "sd")
    assert engine.card.kind is ModelKind.IMAGE


async def test_a_seed_is_a_picture_alone_and_among_others(engine: MediaEngine) -> None:
    _, (first,) = await drawn(engine, seeds=(7,))
    _, others = await drawn(engine, seeds=(6, 7, 2**63 - 1))
    assert [each.seed for each in others] == [6, 7, 2**63 - 1]
    assert [each.index for each in others] == [0, 1, 2]
    assert others[1].bitmap == first.bitmap
    assert len({each.bitmap.data for each in others}) == 3


@pytest.mark.parametrize(("width", "height"), [(64, 64), (96, 64), (64, 128)])
async def test_pictures_have_the_size_that_was_asked_for(engine: MediaEngine, width: int, height: int) -> None:
    _, (picture,) = await drawn(engine, width=width, height=height, steps=1)
    assert (picture.bitmap.width, picture.bitmap.height, picture.bitmap.channels) == (width, height, 3)
    assert picture.bitmap.is_sound


async def test_steps_are_told_with_previews(engine: MediaEngine) -> None:
    steps, _ = await drawn(engine, steps=5, preview_every=2)
    assert [(each.step, each.steps, each.preview is not None) for each in steps] == [
        (1, 5, False),
        (2, 5, True),
        (3, 5, False),
        (4, 5, True),
        (5, 5, False),
    ]
    assert all(each.preview.is_sound for each in steps if each.preview)


@pytest.mark.parametrize(("strength", "count"), [(0.01, 1), (0.3, 3), (0.5, 5), (1.0, 10)])
async def test_a_picture_to_begin_with_saves_steps(engine: MediaEngine, strength: float, count: int) -> None:
    _, (source,) = await drawn(engine)
    steps, pictures = await drawn(engine, source=source.bitmap, strength=strength, steps=10, seeds=(3,))
    assert [each.step for each in steps] == list(range(1, count + 1))
    assert pictures[0].bitmap != source.bitmap


async def test_a_mask_changes_mostly_what_it_covers(engine: MediaEngine) -> None:
    """The rest passes through the decoder; that it stays byte for byte is the caller's part."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:, : SIDE // 2] = 255
    _, (source,) = await drawn(engine)
    steps, (picture,) = await drawn(engine, source=source.bitmap, mask=mask.tobytes(), seeds=(9,))
    assert len(steps) == 4
    before, after = (np.frombuffer(each.bitmap.data, np.uint8).reshape(SIDE, SIDE, 3) for each in (source, picture))
    assert (before[:, : SIDE // 2] != after[:, : SIDE // 2]).any()


async def test_it_ends_within_a_step_when_nobody_waits(engine: MediaEngine) -> None:
    request = DrawImages(prompt="x", width=SIDE, height=SIDE, steps=999, guidance=5.0, seeds=(1, 2))
    async with aclosing(engine.stream(request, ANSWERS)) as answers:
        assert isinstance(await anext(answers), StepDone)
    # It is asked while the other may still compute: an answer means that it stopped.
    assert len((await drawn(engine, steps=1))[1]) == 1
    assert engine.is_alive


async def test_more_steps_than_there_are_is_refused(engine: MediaEngine) -> None:
    with pytest.raises(BadRequest, match="999 steps at most"):
        await drawn(engine, steps=1000)


async def test_samplers_and_spacings(pipelines: Path) -> None:
    engine = await loaded(pipelines / "tiny-sd")
    card = await engine.ask(DescribeImageModel(), ANSWERS)
    assert isinstance(card, ImageCard)
    pictures = {}
    for sampler in card.samplers:
        steps, (picture,) = await drawn(engine, sampler=sampler, steps=3)
        assert [each.step for each in steps] == [1, 2, 3], sampler
        pictures[sampler] = picture.bitmap.data
    assert len(set(pictures.values())) > len(pictures) // 2
    plain = (await drawn(engine, sampler="euler", steps=3))[1][0].bitmap
    assert (await drawn(engine, sampler="euler", scheduler="karras", steps=3))[1][0].bitmap != plain
    for scheduler in card.schedulers:
        assert len((await drawn(engine, scheduler=scheduler, steps=3))[1]) == 1
    with pytest.raises(BadRequest) as refused:
        await drawn(engine, sampler="ddim", scheduler="karras")
    assert refused.value.param == "scheduler"
    assert len((await drawn(engine))[1]) == 1
    await engine.aclose()


async def test_options_of_the_load(pipelines: Path) -> None:
    engine = await loaded(pipelines / "tiny-sd", image_dtype="bfloat16", image_vae_tiling=True)
    assert (await drawn(engine))[1][0].bitmap.is_sound
    await engine.aclose()
    for options, words in (
        ({"image_device": "mps"}, "MPS"),
        ({"image_device": "tpu"}, "unknown"),
        ({"image_quant": "bnb-4bit", "image_device": "cpu"}, "CUDA"),
    ):
        with pytest.raises(LoadFailed, match=words):
            await loaded(pipelines / "tiny-sd", **options)


async def test_an_unloaded_engine_takes_no_memory(pipelines: Path) -> None:
    engine: Any = await loaded(pipelines / "tiny-flux")
    pid = engine.pid
    await asyncio.gather(engine.aclose())
    assert not psutil.pid_exists(pid)
