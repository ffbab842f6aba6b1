"""stable-diffusion.cpp's own library, in a process of its own: what it refuses, and what it draws."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
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
from modules.errors import BadRequest, LoadFailed, NotInstalled
from modules.models.loading import launch_engine
from tests.backends.stable_diffusion_cpp.small_checkpoint import Shapes, clip, shapes, unet, write
from tests.gguf_file import write_gguf

ANSWERS: Final = msgspec.msgpack.Decoder(StepDone | ImageDone | ImageCard)
SIDE: Final = 64
# It has no build for every system.
needs_library: Final = pytest.mark.skipif(find_spec("cyllama") is None, reason="cyllama is not installed")
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def loaded(path: Path, **options: Any) -> MediaEngine:
    loader = "stable-diffusion.cpp"
    spec = LoadSpec(name=path.name, path=str(path), loader=loader, kind=ModelKind.IMAGE, options=options)
    engine: Any = await (await launch_engine(spec)).load(lambda _fraction: None)
    return engine  # type: ignore[no-any-return]


@pytest.mark.skipif(find_spec("cyllama") is not None, reason="cyllama is installed")
async def test_a_missing_library_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(NotInstalled, match=r"`python3 one_click\.py fetch image`"):
        await loaded(write(tmp_path / "sd.safetensors", shapes()))


def cut(path: Path) -> Path:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 100)
    return path


def of_other_shapes(path: Path) -> Path:
    name = "model.diffusion_model.time_embed.0.weight"
    return write(path, {**shapes(), name: (3, 3)})


def text_gguf(path: Path) -> Path:
    return write_gguf(path.with_suffix(".gguf"), {"general.architecture": "llama"}, {"blk.0.attn_q.weight": 128})


@needs_library
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: write(path, unet()), "text encoder CLIP-L, VAE"),
        (lambda path: write(path, {**unet(), **clip()}), "missing beside it: VAE"),
        (lambda path: cut(write(path, shapes())), "incomplete"),
        (of_other_shapes, "tensors are missing or of other shapes"),
        (lambda path: write(path, _without_a_layer()), "tensors are missing or of other shapes"),
        (text_gguf, "no image model"),
    ],
)
async def test_what_cannot_be_loaded_is_told_why(tmp_path: Path, make: Any, words: str) -> None:
    with pytest.raises(LoadFailed, match=words) as failure:
        await loaded(make(tmp_path / "model.safetensors"))
    assert str(tmp_path) not in failure.value.message


def _without_a_layer() -> Shapes:
    return {name: shape for name, shape in shapes().items() if "layers.7." not in name}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MediaEngine]:
    path = write(tmp_path_factory.mktemp("checkpoint") / "small.safetensors", shapes(), is_random=True)
    engine = await loaded(path)
    yield engine
    await engine.aclose()
    path.unlink()


async def drawn(engine: MediaEngine, **fields: Any) -> tuple[list[StepDone], list[ImageDone]]:
    values: dict[str, Any] = {
        "prompt": "a red circle",
        "width": SIDE,
        "height": SIDE,
        "steps": 2,
        "guidance": 0.0,
        "seeds": (1,),
    }
    steps: list[StepDone] = []
    pictures: list[ImageDone] = []
    async with aclosing(engine.stream(DrawImages(**(values | fields)), ANSWERS)) as answers:
        async for answer in answers:
            assert isinstance(answer, StepDone | ImageDone)
            (steps if isinstance(answer, StepDone) else pictures).append(answer)  # type: ignore[arg-type]
    return steps, pictures


def pixels(picture: ImageDone) -> np.ndarray:
    return np.frombuffer(picture.bitmap.data, np.uint8).reshape(picture.bitmap.height, picture.bitmap.width, 3)


@needs_library
@pytest.mark.extended
@pytest.mark.timeout(600)
async def test_its_card_says_what_it_can_do(engine: MediaEngine) -> None:
    card = await engine.ask(DescribeImageModel(), ANSWERS)
    assert isinstance(card, ImageCard)
    assert (card.family, card.width, card.samplers[0], card.schedulers[0]) == ("sd", 512, "euler_a", "normal")
    assert {"euler", "dpm++_2m", "lcm"} <= set(card.samplers)
    assert set(card.abilities) == {ImageAbility.TEXT_TO_IMAGE, ImageAbility.IMAGE_TO_IMAGE, ImageAbility.INPAINT}


@needs_library
@pytest.mark.extended
@pytest.mark.timeout(600)
async def test_a_seed_is_a_picture_alone_and_among_others(engine: MediaEngine) -> None:
    _, (first,) = await drawn(engine, seeds=(7,))
    steps, others = await drawn(engine, seeds=(2**63 - 1, 7))
    assert [(each.index, each.seed) for each in others] == [(0, 2**63 - 1), (1, 7)]
    assert others[1].bitmap == first.bitmap
    assert others[0].bitmap != first.bitmap
    assert [(each.index, each.step, each.steps) for each in steps] == [(0, 1, 2), (0, 2, 2), (1, 1, 2), (1, 2, 2)]
    assert all(each.bitmap.is_sound for each in others)


@needs_library
@pytest.mark.extended
@pytest.mark.timeout(600)
async def test_steps_are_told_with_previews(engine: MediaEngine) -> None:
    steps, (picture,) = await drawn(engine, steps=4, preview_every=2, width=128)
    assert [(each.step, each.preview is not None) for each in steps] == [(1, False), (2, True), (3, False), (4, False)]
    assert all(each.preview.is_sound for each in steps if each.preview)
    assert (picture.bitmap.width, picture.bitmap.height) == (128, SIDE)


@needs_library
@pytest.mark.extended
@pytest.mark.timeout(600)
async def test_guidance_samplers_and_spacings_change_the_picture(engine: MediaEngine) -> None:
    variants: tuple[dict[str, Any], ...] = (
        {},
        {"guidance": 9.0},
        {"sampler": "heun"},
        # With two steps the first and the last are all there is to space.
        {"steps": 3},
        {"steps": 3, "scheduler": "karras"},
        {"prompt": "a blue box", "guidance": 9.0},
        {"negative_prompt": "a blue box", "guidance": 9.0},
    )
    found = {(await drawn(engine, **fields))[1][0].bitmap.data for fields in variants}
    assert len(found) == len(variants)
    with pytest.raises(BadRequest, match="Choose one of: euler_a") as refused:
        await drawn(engine, sampler="nonsense")
    assert refused.value.param == "sampler"
    assert engine.is_alive


@needs_library
@pytest.mark.extended
@pytest.mark.timeout(600)
async def test_a_picture_to_begin_with_and_a_mask(engine: MediaEngine) -> None:
    _, (source,) = await drawn(engine)
    steps, (changed,) = await drawn(engine, source=source.bitmap, strength=0.5, steps=4, seeds=(3,))
    assert [each.step for each in steps] == [1, 2]
    assert changed.bitmap != source.bitmap
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:, : SIDE // 2] = 255
    steps, (inpainted,) = await drawn(engine, source=source.bitmap, mask=mask.tobytes(), seeds=(3,))
    assert [each.step for each in steps] == [1, 2]
    assert (pixels(inpainted)[:, : SIDE // 2] != pixels(source)[:, : SIDE // 2]).any()


@needs_library
@pytest.mark.extended
@pytest.mark.timeout(600)
async def test_a_drawing_that_nobody_waits_for_ends(tmp_path: Path, engine: MediaEngine) -> None:
    """The library stops it where it can; else its process ends, and whoever asks next loads it again."""
    request = DrawImages(prompt="x", width=SIDE, height=SIDE, steps=500, guidance=0.0, seeds=(1, 2))
    path = write(tmp_path / "small.safetensors", shapes())
    other: Any = await loaded(path, sd_cpp_type="q8_0", sd_cpp_vae_tiling="on", sd_cpp_flash_attention=True)
    async with aclosing(other.stream(request, ANSWERS)) as answers:
        assert isinstance(await anext(answers), StepDone)
    try:
        assert len((await drawn(other, steps=1))[1]) == 1
    except Exception:  # noqa: BLE001 - its process was ended
        assert not other.is_alive
    await other.aclose()
    assert len((await drawn(engine, steps=1))[1]) == 1
