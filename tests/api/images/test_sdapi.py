"""/sdapi/v1/*, as SillyTavern, Open WebUI and other front ends for A1111 use it."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from modules.media.images.metadata import settings_of
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
    for path in ("upscalers", "latent-upscale-modes", "sd-vae", "loras", "embeddings"):
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
        ({"enable_hr": True}, "enable_hr"),
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
