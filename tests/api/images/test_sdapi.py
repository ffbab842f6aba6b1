"""/sdapi/v1/*, as SillyTavern, Open WebUI and other front ends for A1111 use it."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image, ImageOps

from modules.media.images.metadata import settings_of
from modules.media.images.requests import DrawingStep, ImageRequest, SecondPass, Size
from tests.api.images.pictures import encoded, gradient, opened, png
from tests.api.serving import RawCall, Served, calling, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

SILLYTAVERN = {
    "prompt": "a red fox",
    "negative_prompt": "text",
    "sampler_name": "Euler a",
    "scheduler": "Karras",
    "steps": 6,
    "cfg_scale": 7,
    "width": 128,
    "height": 64,
    "restore_faces": False,
    "enable_hr": False,
    "hr_upscaler": "",
    "hr_scale": 2,
    "hr_additional_modules": [],
    "denoising_strength": 0.7,
    "hr_second_pass_steps": 0,
    "seed": -1,
    "clip_skip": 1,
    "save_images": True,
    "send_images": True,
    "do_not_save_grid": False,
    "do_not_save_samples": False,
    "override_settings": {"CLIP_stop_at_last_layers": 1},
    "override_settings_restore_afterwards": True,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with served(tmp_path_factory.mktemp("sdapi")) as api:
        yield api


async def drawn(api: Served, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = await api.post(f"/sdapi/v1/{path}", body)
    assert response.status_code == 200, response.text[:300]
    answer: dict[str, Any] = response.json()
    return answer


async def test_what_sillytavern_sends(api: Served) -> None:
    answer = await drawn(api, "txt2img", SILLYTAVERN)
    (picture,) = answer["images"]
    data = base64.b64decode(picture)
    assert opened(data).size == (128, 64)
    assert settings_of(data)["image_sampler"] == "euler_a"
    info = json.loads(answer["info"])
    assert info["all_seeds"] == [info["seed"]]
    assert "Negative prompt: text" in info["infotexts"][0]


async def test_what_open_webui_sends(api: Served) -> None:
    options = (await api.http.get("/sdapi/v1/options")).json()
    assert options["sd_model_checkpoint"] == "scripted-images"
    assert (await api.post("/sdapi/v1/options", options)).status_code == 200
    answer = await drawn(
        api, "txt2img", {"prompt": "a tree", "batch_size": 2, "width": 64, "height": 64, "steps": 4, "seed": 5}
    )
    assert len(answer["images"]) == 2
    assert json.loads(answer["info"])["all_seeds"] == [5, 6]


async def test_menus(api: Served) -> None:
    async def names(path: str, key: str) -> list[str]:
        return [entry[key] for entry in (await api.http.get(f"/sdapi/v1/{path}")).json()]

    assert await names("sd-models", "title") == ["scripted-images"]
    assert await names("samplers", "name") == ["euler", "euler_a", "ddim"]
    assert await names("schedulers", "name") == ["normal", "karras"]
    assert await names("upscalers", "name") == ["Lanczos"]
    for path in ("latent-upscale-modes", "sd-vae", "loras", "embeddings"):
        assert (await api.http.get(f"/sdapi/v1/{path}")).json() == []


async def test_a_picture_is_changed_where_the_mask_is_white(api: Served) -> None:
    before = gradient((96, 64))
    mask = png((96, 64), (0, 0, 0))
    white = opened(mask)
    white.paste((255, 255, 255), (0, 0, 40, 64))
    body: dict[str, Any] = {"prompt": "blue", "init_images": [base64.b64encode(encoded(before)).decode()]}
    for is_inverted, (left, right) in {False: (40, 96), True: (0, 40)}.items():
        extra = {"mask": base64.b64encode(encoded(white)).decode(), "inpainting_mask_invert": is_inverted}
        answer = await drawn(api, "img2img", {**body, **extra})
        after = opened(base64.b64decode(answer["images"][0]))
        box = (left, 0, right, 64)
        assert after.crop(box).tobytes() == before.crop(box).tobytes()
        assert after.tobytes() != before.tobytes()
    assert opened(base64.b64decode((await drawn(api, "img2img", body))["images"][0])).size == (96, 64)


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"hr_scale": 1.5, "hr_upscaler": "lanczos"}, (192, 96)),
        ({}, (256, 128)),
        ({"hr_resize_x": 256, "hr_resize_y": 0}, (256, 128)),
        ({"hr_resize_x": 192, "hr_resize_y": 192}, (192, 192)),
    ],
    ids=["scale", "default", "width", "both"],
)
async def test_a_second_pass_enlarges(api: Served, fields: dict[str, Any], size: tuple[int, int]) -> None:
    body = {**SILLYTAVERN, "seed": 3, "enable_hr": True, "hr_scale": None, "denoising_strength": 0.5, **fields}
    answer = await drawn(api, "txt2img", body)
    data = base64.b64decode(answer["images"][0])
    info = json.loads(answer["info"])
    assert opened(data).size == (info["width"], info["height"]) == size
    settings = settings_of(data)
    assert (settings["image_width"], settings["image_height"]) == size
    assert (settings["image_first_size"], settings["image_strength"]) == ("128x64", 0.5)
    assert (
        f"Size: 128x64, Model: scripted-images, Denoising strength: 0.5, Hires resize: {size[0]}x{size[1]}"
        in (info["infotexts"][0])
    )


async def test_a_second_pass_draws_on_the_first(api: Served) -> None:
    """In another shape, where a picture that was drawn at once would be another one."""
    body = {**SILLYTAVERN, "seed": 3, "batch_size": 2}
    once = await drawn(api, "txt2img", body)
    body |= {"enable_hr": True, "hr_resize_x": 192, "hr_resize_y": 192}
    nearly, half = [await drawn(api, "txt2img", body | {"denoising_strength": each}) for each in (0.0, 0.5)]
    assert json.loads(half["info"])["all_seeds"] == [3, 4]
    for small, same, other in zip(once["images"], nearly["images"], half["images"], strict=True):
        first, near, far = (opened(base64.b64decode(each)) for each in (small, same, other))
        larger = ImageOps.fit(first, (192, 192), Image.Resampling.LANCZOS)
        assert distance(near, larger) * 10 < distance(far, larger)


def distance(one: Image.Image, other: Image.Image) -> float:
    """Of two pixels, on average."""
    return float(np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean())


async def test_steps_of_both_passes_are_counted(api: Served) -> None:
    second = SecondPass(size=Size(128, 128), steps=8, strength=0.5)
    request = ImageRequest(prompt="a tree", size=Size(64, 64), count=2, steps=4, second_pass=second)
    events = api.runtime.images.draw(request, owner="one")
    async with aclosing(events):
        steps = [(each.index, each.step, each.steps) async for each in events if isinstance(each, DrawingStep)]
    assert steps == [(index, step, 8) for index in range(2) for step in range(1, 9)]


async def test_who_leaves_in_the_first_pass_leaves_nothing(api: Served) -> None:
    request = ImageRequest(prompt="stall", size=Size(64, 64), steps=4, second_pass=SecondPass(size=Size(128, 128)))
    async with aclosing(api.runtime.images.draw(request, owner="one")) as events:
        async for event in events:
            if isinstance(event, DrawingStep):
                break
    assert not list(api.runtime.images.jobs)
    assert (
        len((await drawn(api, "txt2img", {"prompt": "a tree", "width": 64, "height": 64, "steps": 2}))["images"]) == 1
    )


async def test_progress_and_interrupt(api: Served) -> None:
    idle = (await api.http.get("/sdapi/v1/progress")).json()
    assert (idle["progress"], idle["state"]["job_count"]) == (0, 0)
    call = RawCall(api.app, "/v1/images/generations", b'{"prompt":"stall","stream":true,"partial_images":3,"steps":4}')
    async with calling(call) as running:
        await call.until_body(b"partial_image")
        busy = (await api.http.get("/sdapi/v1/progress")).json()
        assert busy["progress"] == 0.25
        assert (busy["state"]["sampling_step"], busy["state"]["sampling_steps"], busy["state"]["job_count"]) == (
            1,
            4,
            1,
        )
        assert opened(base64.b64decode(busy["current_image"])).size == (128, 128)
        without = (await api.http.get("/sdapi/v1/progress?skip_current_image=true")).json()
        assert without["current_image"] is None
        assert (await api.post("/sdapi/v1/interrupt", {})).status_code == 200
        await running


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"enable_hr": True, "hr_upscaler": "Latent"}, "hr_upscaler"),
        ({"enable_hr": True, "width": 64, "height": 64, "hr_scale": 8, "hr_resize_x": 16_000}, "size"),
        ({"tiling": True}, "tiling"),
        ({"sampler_name": "No such sampler"}, "sampler_name"),
        ({"width": 30}, "size"),
        ({"batch_size": 64, "n_iter": 2}, "n_iter"),
        ({"seed": "x"}, "seed"),
    ],
)
async def test_what_cannot_be_done_is_refused(api: Served, fields: dict[str, Any], param: str) -> None:
    response = await api.post("/sdapi/v1/txt2img", {"prompt": "a tree", **fields})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


async def test_only_the_admin_key_loads_another_model(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with served(tmp_path_factory.mktemp("keys"), api_key="user", admin_key="admin") as api:
        headers = {"authorization": "Bearer user"}
        response = await api.post("/sdapi/v1/options", {"sd_model_checkpoint": "other"}, **headers)
        assert response.status_code == 403
        basic = base64.b64encode(b"anybody:user").decode()
        response = await api.http.get("/sdapi/v1/options", headers={"authorization": f"Basic {basic}"})
        assert response.status_code == 200
