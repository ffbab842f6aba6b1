"""/v1/images/edits and variations: forms and JSON, masks, sizes, several pictures, refusals."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from openai.types import ImageEditCompletedEvent
from PIL import Image

from tests.api.images.pictures import data_url, encoded, gradient, mask, picture_of, png
from tests.api.serving import BASE_URL, RawCall, Served, calling, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

EDITS = "/v1/images/edits"
VARIATIONS = "/v1/images/variations"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with served(tmp_path_factory.mktemp("edits")) as api:
        yield api


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sdk(api: Served) -> AsyncIterator[AsyncOpenAI]:
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(api.app))
    async with AsyncOpenAI(base_url=f"{BASE_URL}/v1", api_key="sk-any", http_client=http, max_retries=0) as client:
        yield client


def part(data: bytes, name: str = "upload", kind: str = "application/octet-stream") -> tuple[str, bytes, str]:
    return name, data, kind


async def edited(api: Served, files: list[tuple[str, Any]], **fields: str) -> Image.Image:
    response = await api.http.post(EDITS, data={"prompt": "a red house", **fields}, files=files)
    assert response.status_code == 200, response.text[:300]
    return picture_of(response.json()["data"][0])


async def refused(api: Served, files: list[tuple[str, Any]], path: str = EDITS, **fields: str) -> dict[str, Any]:
    response = await api.http.post(path, data={"prompt": "a red house", **fields}, files=files)
    assert response.status_code == 400, response.text[:300]
    error: dict[str, Any] = response.json()["error"]
    return error


def outside(picture: Image.Image, is_drawn: Any) -> list[Any]:
    pixels = picture.load()
    assert pixels is not None
    width, height = picture.size
    return [pixels[x, y] for y in range(height) for x in range(width) if not is_drawn(x, y)]


def left_half(x: int, _y: int) -> bool:
    return x < 40


@pytest.mark.parametrize("size", [(96, 64), (100, 75), (333, 51)])
async def test_pixels_outside_the_mask_come_back_byte_for_byte(api: Served, size: tuple[int, int]) -> None:
    before = gradient(size)
    files = [("image", part(encoded(before))), ("mask", part(mask(size, left_half)))]
    after = await edited(api, files)
    assert after.size == size
    assert outside(after, left_half) == outside(before, left_half)
    assert outside(after, lambda x, y: not left_half(x, y)) != outside(before, lambda x, y: not left_half(x, y))


async def test_a_mask_of_another_size_is_resized_without_blending(api: Served) -> None:
    before = gradient((96, 64))
    small = mask((3, 2), lambda x, _y: x == 0)
    after = await edited(api, [("image", part(encoded(before))), ("mask", part(small))])
    assert outside(after, lambda x, _y: x < 32) == outside(before, lambda x, _y: x < 32)


async def test_transparent_parts_of_the_picture_are_a_mask(api: Served) -> None:
    before = gradient((96, 64)).convert("RGBA")
    before.paste((10, 20, 30, 0), (0, 0, 40, 64))
    after = await edited(api, [("image", part(encoded(before)))])
    assert after.mode == "RGBA"
    assert outside(after, left_half) == outside(before, left_half)
    assert {pixel[3] for pixel in outside(after, lambda x, y: not left_half(x, y))} == {255}


async def test_without_a_mask_strength_says_how_much_stays(api: Served) -> None:
    files = [("image", part(png((64, 64), (100, 100, 100))))]
    faint = await edited(api, files, strength="0.05", prompt="blue")
    strong = await edited(api, files, strength="1", prompt="blue")
    drift = [
        max(abs(value - 100) for pixel in outside(each, lambda *_: False) for value in pixel)
        for each in (faint, strong)
    ]
    assert drift[0] < 12 < drift[1]


@pytest.mark.parametrize(
    ("source", "asked", "size"),
    [
        ((100, 75), "", (96, 72)),
        ((100, 75), "auto", (96, 72)),
        ((100, 75), "128x64", (128, 64)),
        ((20, 20), "", (64, 64)),
    ],
)
async def test_the_size_is_the_requests_or_else_the_pictures(
    api: Served, source: tuple[int, int], asked: str, size: tuple[int, int]
) -> None:
    assert (await edited(api, [("image", part(png(source)))], size=asked)).size == size


async def test_photographs_are_upright_and_large_ones_fit(api: Served) -> None:
    turned = Image.new("RGB", (120, 80), (1, 2, 3))
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    turned.save(file, "JPEG", exif=exif)
    assert (await edited(api, [("image", part(file.getvalue()))])).size == (80, 120)
    assert (await edited(api, [("image", part(png((3000, 1000))))])).size == (2048, 680)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
async def test_files_are_known_by_their_bytes(api: Served, form: str) -> None:
    assert (await edited(api, [("image", part(png((64, 64), form=form)))])).size == (64, 64)


async def test_what_open_webui_sends(api: Served) -> None:
    fields = {"model": "gpt-image-1", "n": "1", "size": "64x64", "response_format": "b64_json"}
    one = [("image", ("image.png", png(), "image/png"))]
    assert (await edited(api, one, **fields)).size == (64, 64)
    several = [("image[]", (f"image_{n}.png", png(), "image/png")) for n in range(3)]
    assert (await edited(api, several, **fields, background="opaque")).size == (64, 64)


async def test_the_official_client(sdk: AsyncOpenAI) -> None:
    picture = png((96, 64))
    one = await sdk.images.edit(image=picture, prompt="a house", n=2, quality="low")
    assert one.data is not None
    assert [picture_of(each).size for each in one.data] == [(96, 64)] * 2
    assert one.usage is not None
    assert one.usage.input_tokens_details.image_tokens == 6 * 4
    several = await sdk.images.edit(image=[picture, picture], prompt="a house", mask=mask((96, 64), left_half))
    assert several.data is not None
    assert picture_of(several.data[0]).size == (96, 64)
    with pytest.warns(DeprecationWarning, match="create_variation|deprecated"):
        varied = await sdk.images.create_variation(image=picture, n=2, size="256x256")
    assert varied.data is not None
    first, second = (picture_of(each) for each in varied.data)
    assert first.size == second.size == (256, 256)
    assert first.tobytes() != second.tobytes()


async def test_edits_are_streamed_with_their_own_events(sdk: AsyncOpenAI) -> None:
    stream = await sdk.images.edit(image=png(), prompt="a house", stream=True, partial_images=1, size="1024x1024")
    events = [event async for event in stream]
    assert [event.type for event in events] == ["image_edit.partial_image", "image_edit.completed"]
    for event in events:
        type(event).model_validate(event.model_dump(), strict=True)
    assert isinstance(events[-1], ImageEditCompletedEvent)


@pytest.mark.parametrize("name", ["image", "images"])
async def test_json_bodies_have_data_urls(api: Served, name: str) -> None:
    url = data_url(png((64, 64)))
    given = [{"image_url": url}] if name == "images" else url
    body = {"prompt": "a house", name: given, "mask": {"image_url": data_url(mask((64, 64), left_half))}}
    response = await api.post(EDITS, body)
    assert response.status_code == 200, response.text[:300]
    assert picture_of(response.json()["data"][0]).size == (64, 64)
    varied = await api.post(VARIATIONS, {"image": url})
    assert varied.status_code == 200


async def test_what_is_wrong_with_a_form_is_said_by_name(api: Served) -> None:
    file = part(png())
    assert (await refused(api, []))["param"] == "image"
    assert (await refused(api, [("image", file)], prompt=""))["param"] == "prompt"
    assert (await refused(api, [("image", file), ("prompt", file)]))["param"] == "prompt"
    assert (await refused(api, [("image", file), ("n", file)]))["param"] == "n"
    assert (await refused(api, [("image", file), ("mask", file), ("mask", file)]))["param"] == "mask"
    assert (await refused(api, [("image[]", file)] * 17))["param"] == "image"
    assert (await refused(api, [("image", file)], image="data:,x"))["param"] == "image"
    assert (await refused(api, [("image", file)] * 2, path=VARIATIONS))["param"] == "image"


async def test_what_is_no_picture_is_refused(api: Served) -> None:
    for data in (b"", b"no picture", png()[:60], b"\x89PNG\r\n\x1a\n" + bytes(50), b"<svg xmlns='x'/>"):
        error = await refused(api, [("image", part(data))])
        assert error["param"] == "image"
        assert error["code"] in {"invalid_image", "missing_required_parameter"}
    error = await refused(api, [("image", part(png())), ("mask", part(png()))])
    assert error["param"] == "mask"
    response = await api.post(EDITS, {"prompt": "a house", "images": [{"file_id": "file-1"}]})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "image"


async def test_a_hang_up_frees_the_engine(api: Served) -> None:
    body = b'{"prompt":"stall","stream":true,"partial_images":3,"steps":4,"image":"' + data_url(png()).encode() + b'"}'
    call = RawCall(api.app, EDITS, body)
    async with calling(call) as running:
        await call.until_body(b"partial_image")
        call.hang_up()
        await running
    assert not list(api.runtime.images.jobs)
    assert (await edited(api, [("image", part(png((64, 64))))])).size == (64, 64)


async def test_requests_are_drawn_one_after_the_other(api: Served) -> None:
    files = [("image", part(png((64, 64))))]
    sizes = await asyncio.gather(*(edited(api, files, size=f"{64 + 8 * n}x64") for n in range(4)))
    assert [each.size[0] for each in sizes] == [64, 72, 80, 88]
