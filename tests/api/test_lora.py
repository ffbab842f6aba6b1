"""LoRA adapters of single requests over the API, with a tiny model on the Transformers loader in its own process."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from modules.models.loading import launch_engine
from modules.models.state import Status
from tests.api.serving import CHAT, TEXT, Served, says, served, text_of, until
from tests.backends.transformers.folders import VOCABULARY, tiny_folder, write_adapter

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIELDS = {"temperature": 0, "max_tokens": 8, "ignore_eos": True}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("data")
    tiny_folder(folder / "models" / "tiny")
    recommends = {"eos_token_id": VOCABULARY - 1, "temperature": 0.25, "top_k": 3}
    (folder / "models" / "tiny" / "generation_config.json").write_text(json.dumps(recommends), encoding="utf-8")
    (folder / "loras").mkdir()
    for seed in range(2):
        write_adapter(folder / "loras" / f"lora{seed}", seed=seed)
    (folder / "loras" / "other.gguf").write_bytes(b"GGUF")
    settings = {"torch_threads": 1, "ctx_size": 300, "lora": ("lora1",)}
    async with served(folder, launch=launch_engine, loader="Transformers", **settings) as api:
        await until(api.runtime, Status.READY)
        yield api


async def said(api: Served, **fields: Any) -> str:
    response = await api.post(TEXT, {"prompt": "some words", **FIELDS, **fields})
    assert response.status_code == 200, response.text
    return str(response.json()["choices"][0]["text"])


async def test_the_list_has_what_can_be_named(api: Served) -> None:
    names = (await api.http.get("/v1/internal/lora/list")).json()["lora_names"]
    assert names == ["lora0", "lora1", "other.gguf"]


async def test_the_info_says_what_the_folder_recommends(api: Served) -> None:
    info = (await api.http.get("/v1/internal/model/info")).json()
    assert info["recommended_sampling"] == {"temperature": 0.25, "top_k": 3}


async def test_the_request_decides_and_silence_is_the_servers_choice(api: Served) -> None:
    silent = await said(api)
    plain = await said(api, lora=[])
    first = await said(api, lora=[{"name": "lora0"}])
    assert len({silent, plain, first}) == 3
    assert await said(api, lora=[{"name": "lora1", "scale": 1}]) == await said(api, lora=None) == silent
    assert await said(api, lora=[{"name": "lora0", "scale": None}]) == first
    assert await said(api, lora=[{"name": "lora0", "scale": 0}]) == plain
    both = await said(api, lora=[{"name": "lora0"}, {"name": "lora1", "scale": 0.5}])
    assert both not in {silent, plain, first}


async def test_chats_and_streams_and_choices_have_them_too(api: Served) -> None:
    async def chat(**fields: Any) -> list[str]:
        response = await api.post(CHAT, says("words", **FIELDS, **fields))
        assert response.status_code == 200, response.text
        if fields.get("stream"):
            return [text_of(response.text)]
        return [choice["message"]["content"] for choice in response.json()["choices"]]

    lora = [{"name": "lora0", "scale": 0.8}]
    whole = await chat(lora=lora)
    assert whole == await chat(lora=lora, stream=True) != await chat(lora=[])
    assert await chat(lora=lora, n=2) == whole * 2


async def test_mixed_requests_get_what_each_gets_alone(api: Served) -> None:
    choices: list[list[dict[str, Any]] | None] = [None, [], [{"name": "lora0"}], [{"name": "lora0", "scale": -0.5}]]
    fields = [{"lora": lora, "prompt": f"number {at}"} for at in range(2) for lora in choices]
    alone = [await said(api, **each) for each in fields]
    assert await asyncio.gather(*(said(api, **each) for each in fields)) == alone


@pytest.mark.parametrize("path", [CHAT, TEXT])
@pytest.mark.parametrize(
    ("lora", "status"),
    [
        ([{"name": "nowhere"}], 404),
        ([{"name": "../models/tiny"}], 404),
        ([{"name": "other"}], 400),
        ([{"name": "lora0"}, {"name": "nowhere"}], 404),
        ([{}], 400),
        ([{"scale": 1}], 400),
        ([{"name": "lora0", "scale": "much"}], 400),
        ([{"name": "lora0", "scale": True}], 400),
        ([{"name": "lora0", "scale": 1e9}], 400),
        ([{"name": 5}], 400),
        (["lora0"], 400),
        ("lora0", 400),
        ({"name": "lora0"}, 400),
        ([[]], 400),
        (True, 400),
        (0, 400),
    ],
)
async def test_what_cannot_be_is_refused(api: Served, path: str, lora: object, status: int) -> None:
    body = says("words") if path == CHAT else {"prompt": "words"}
    response = await api.post(path, {**body, **FIELDS, "lora": lora})
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["param"].startswith("lora")
    assert error["message"]
    assert str(sys.prefix) not in error["message"]


async def test_a_folder_that_lacks_its_package_leaves_the_running_model(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gptqmodel", None)
    folder = tmp_path_factory.mktemp("quantized")
    config = tiny_folder(folder / "models" / "awq") / "config.json"
    stated = {"quantization_config": {"quant_method": "awq", "bits": 4}}
    config.write_text(json.dumps(json.loads(config.read_text("utf-8")) | stated), encoding="utf-8")
    async with served(folder) as api:
        body = {"model_name": "awq", "args": {"loader": "Transformers"}}
        refused = await api.post("/v1/internal/model/load", body)
        assert refused.json()["error"]["code"] == "model_load_failed"
        assert "the package is missing: gptqmodel" in refused.json()["error"]["message"]
        assert (await api.post(CHAT, says("echo: still here"))).json()["model"] == "scripted"


async def test_models_that_take_none_say_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with served(tmp_path_factory.mktemp("scripted")) as api:
        assert (await api.post(CHAT, says("echo: yes", lora=[]))).status_code == 200
        response = await api.post(CHAT, says("echo: yes", lora=[{"name": "any"}]))
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "lora"
