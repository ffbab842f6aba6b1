"""/v1/images/generations over the scripted image model: fields, sizes, seeds, streams, refusals."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import httpx2
import pytest
import pytest_asyncio
from openai import AsyncOpenAI, BadRequestError
from openai.types import ImageGenCompletedEvent, ImageGenPartialImageEvent, ImagesResponse

from modules.media.images.metadata import settings_of
from tests.api.images.pictures import opened, picture_of
from tests.api.serving import BASE_URL, RawCall, Served, calling, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/images/generations"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with served(tmp_path_factory.mktemp("images")) as api:
        yield api


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sdk(api: Served) -> AsyncIterator[AsyncOpenAI]:
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(api.app))
    async with AsyncOpenAI(base_url=f"{BASE_URL}/v1", api_key="sk-any", http_client=http, max_retries=0) as client:
        yield client


async def made(api: Served, **fields: Any) -> dict[str, Any]:
    response = await api.post(PATH, {"prompt": "an orange tree", **fields})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def refused(api: Served, **fields: Any) -> dict[str, Any]:
    response = await api.post(PATH, {"prompt": "an orange tree", **fields})
    assert response.status_code == 400, response.text
    error: dict[str, Any] = response.json()["error"]
    return error


@asynccontextmanager
async def stalled(api: Served) -> AsyncIterator[tuple[RawCall, asyncio.Task[None]]]:
    """A drawing that does not go on after its first step."""
    call = RawCall(api.app, PATH, b'{"prompt":"stall","stream":true,"partial_images":3,"steps":4}')
    async with calling(call) as running:
        await call.until_body(b"partial_image")
        yield call, running


async def test_the_example_of_the_documentation(api: Served) -> None:
    body = await made(api, steps=9, cfg_scale=0, batch_size=1, batch_count=1)
    (entry,) = body["data"]
    data = base64.b64decode(entry["b64_json"])
    assert opened(data).size == (512, 512)
    settings = settings_of(data)
    assert settings["image_prompt"] == "an orange tree"
    assert (settings["image_steps"], settings["image_cfg_scale"]) == (9, 0)
    assert settings["image_seed"] == entry["seed"]
    assert body["usage"]["output_tokens"] == 32 * 32


async def test_what_anse_sends_gives_a_url_that_it_can_show(api: Served) -> None:
    body = await made(api, n=1, size="512x512", response_format="url")
    url = body["data"][0]["url"]
    assert url.startswith("data:image/png;base64,")
    assert picture_of(body["data"][0]).size == (512, 512)
    assert "b64_json" not in body["data"][0]


async def test_what_open_webui_sends(api: Served) -> None:
    body = await made(api, model="gpt-image-1", n=1, size="512x512", response_format="b64_json")
    assert picture_of(body["data"][0]).size == (512, 512)
    assert body["model"] == "scripted-images"


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("512x512", (512, 512)),
        ("130x70", (128, 64)),
        ("256 × 128", (256, 128)),
        ("256*128", (256, 128)),
        ("auto", (512, 512)),
        ("", (512, 512)),
        (None, (512, 512)),
    ],
)
async def test_sizes(api: Served, written: str | None, size: tuple[int, int]) -> None:
    body = await made(api, size=written)
    assert picture_of(body["data"][0]).size == size
    assert body["size"] == f"{size[0]}x{size[1]}"


@pytest.mark.parametrize("written", ["big", "512", "0x512", "32x32", "4096x4096", "2048x2056", "x", "-1x5"])
async def test_sizes_that_cannot_be_drawn_are_refused(api: Served, written: str) -> None:
    error = await refused(api, size=written)
    assert error["param"] == "size"


async def test_a_seed_repeats_and_the_next_picture_has_the_next(api: Served) -> None:
    two = await made(api, size="64x64", image_seed=41, n=2)
    second = await made(api, size="64x64", seed=42)
    assert [entry["seed"] for entry in two["data"]] == [41, 42]
    assert picture_of(two["data"][1]).tobytes() == picture_of(second["data"][0]).tobytes()
    assert picture_of(two["data"][0]).tobytes() != picture_of(two["data"][1]).tobytes()
    first, other = await made(api, size="64x64", image_seed=-1), await made(api, size="64x64")
    assert first["data"][0]["seed"] != other["data"][0]["seed"]


async def test_batches(api: Served) -> None:
    assert len((await made(api, size="64x64", n=2, batch_size=3, batch_count=2))["data"]) == 6
    assert (await refused(api, batch_size=64, batch_count=2))["param"] == "batch_count"
    assert (await refused(api, n=11))["param"] == "n"


@pytest.mark.parametrize(
    ("fields", "steps"),
    [({}, 8), ({"quality": "low"}, 4), ({"quality": "hd"}, 12), ({"quality": "low", "steps": 3}, 3)],
)
async def test_quality_means_steps_where_none_are_counted(api: Served, fields: dict[str, Any], steps: int) -> None:
    body = await made(api, size="64x64", **fields)
    assert settings_of(base64.b64decode(body["data"][0]["b64_json"]))["image_steps"] == steps


async def test_what_means_off_is_no_error(api: Served) -> None:
    off: dict[str, Any] = dict.fromkeys(
        ("model", "n", "size", "quality", "style", "user", "seed", "stream", "background", "output_format", "steps")
    )
    assert (await made(api, **off))["data"]
    assert (await made(api, size="64x64", steps=0, cfg_scale=-1, image_seed=-1, style="vivid", moderation="low"))[
        "data"
    ]


@pytest.mark.parametrize("form", ["png", "webp", "jpeg", "jpg"])
async def test_formats(api: Served, form: str) -> None:
    body = await made(api, size="64x64", output_format=form, output_compression=60)
    assert picture_of(body["data"][0]).format == {"jpg": "JPEG"}.get(form, form.upper())


async def test_transparency(api: Served) -> None:
    body = await made(api, size="64x64", background="transparent")
    assert body["background"] == "transparent"
    assert picture_of(body["data"][0]).mode == "RGBA"
    error = await refused(api, background="transparent", output_format="jpeg")
    assert error["param"] == "background"


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": ""},
        {"prompt": None},
        {"prompt": "x" * 32_001},
        {"output_format": "gif"},
        {"output_format": "svg"},
        {"response_format": "file"},
        {"quality": "superb"},
        {"partial_images": 4},
        {"output_compression": 101},
        {"steps": 501},
        {"steps": "many"},
        {"n": True},
        {"cfg_scale": 101},
        {"sampler": "none of these"},
    ],
)
async def test_what_cannot_be_done_is_refused_by_name(api: Served, fields: dict[str, Any]) -> None:
    response = await api.post(PATH, {"prompt": "x"} | fields)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == next(iter(fields))


async def test_the_official_client(sdk: AsyncOpenAI) -> None:
    images = await sdk.images.generate(prompt="a tree", model="gpt-image-1", size="1024x1024", n=2, quality="low")
    ImagesResponse.model_validate(images.model_dump(), strict=True)
    assert images.data is not None
    assert [picture_of(image).size for image in images.data] == [(1024, 1024)] * 2
    with pytest.raises(BadRequestError) as failure:
        await sdk.images.generate(prompt="a tree", size="wide")
    assert failure.value.param == "size"


async def test_a_stream_has_previews_and_one_completed_event_for_each_picture(sdk: AsyncOpenAI) -> None:
    stream = await sdk.images.generate(
        prompt="a tree", model="gpt-image-1", size="1024x1024", n=2, stream=True, partial_images=2
    )
    events = [event async for event in stream]
    partial, completed = get_args(ImageGenPartialImageEvent | ImageGenCompletedEvent)
    assert [type(event) for event in events] == [partial, partial, completed] * 2
    for event in events:
        type(event).model_validate(event.model_dump(), strict=True)
        assert event.size == "1024x1024"
    previews = [event for event in events if isinstance(event, ImageGenPartialImageEvent)]
    assert [event.partial_image_index for event in previews] == [0, 1, 0, 1]
    last = events[-1]
    assert isinstance(last, ImageGenCompletedEvent)
    assert last.usage.total_tokens == last.usage.input_tokens + last.usage.output_tokens
    assert opened(base64.b64decode(last.b64_json)).size == (1024, 1024)


async def test_without_partial_images_a_stream_has_the_pictures_only(sdk: AsyncOpenAI) -> None:
    stream = await sdk.images.generate(prompt="a tree", model="gpt-image-1", stream=True, partial_images=0)
    assert [event.type async for event in stream] == ["image_generation.completed"]


async def test_a_hang_up_frees_the_engine_within_a_step(api: Served) -> None:
    async with stalled(api) as (call, running):
        call.hang_up()
        await running
    assert not list(api.runtime.images.jobs)
    assert (await made(api, size="64x64"))["data"]


async def test_stop_generation_ends_the_drawing(api: Served) -> None:
    async with stalled(api) as (call, running):
        await api.post("/v1/internal/stop-generation", {})
        await running
    assert b'"code":"image_stopped"' in call.sent_body


async def test_a_crash_is_told_and_the_next_request_is_answered(api: Served) -> None:
    response = await api.post(PATH, {"prompt": "crash"})
    assert response.status_code == 503
    assert response.headers["x-should-retry"] == "false"
    assert (await api.post(PATH, {"prompt": "fail"})).status_code == 503
    assert (await made(api, size="64x64"))["data"]


async def test_nothing_is_kept_unless_the_operator_says_so(api: Served) -> None:
    await made(api, size="64x64")
    assert not api.runtime.data.image_outputs.exists()


async def test_too_many_waiting_requests_are_refused(tmp_path: Path) -> None:
    async with served(tmp_path, image_max_queue=0) as api:
        async with stalled(api):
            response = await api.post(PATH, {"prompt": "a tree"})
        assert response.status_code == 429
        assert int(response.headers["retry-after"]) > 0


async def test_without_a_model_the_answer_says_how_to_get_one(tmp_path: Path) -> None:
    async with served(tmp_path, loader=None) as api:
        response = await api.post(PATH, {"prompt": "a tree"})
    assert response.status_code == 501
    assert response.headers["x-should-retry"] == "false"
    assert "python3 one_click.py fetch image" in response.json()["error"]["message"]


async def test_the_operator_may_keep_pictures_and_leave_out_how_they_were_made(tmp_path: Path) -> None:
    async with served(tmp_path, image_keep_api=True, image_metadata=False) as api:
        body = await made(api, size="64x64")
        assert settings_of(base64.b64decode(body["data"][0]["b64_json"])) == {}
        (name,) = api.runtime.images.gallery.page(0, 10).names
        assert api.runtime.images.gallery.settings(name)["image_prompt"] == "an orange tree"


async def test_the_chat_model_may_rewrite_the_prompt(api: Served) -> None:
    body = await made(api, size="64x64", prompt="echo: a red tree at dawn", rewrite_prompt=True, seed=1)
    assert body["data"][0]["revised_prompt"] == "a red tree at dawn"
    plain = await made(api, size="64x64", prompt="a red tree at dawn", seed=1)
    assert picture_of(body["data"][0]).tobytes() == picture_of(plain["data"][0]).tobytes()
