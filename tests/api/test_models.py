"""What can be asked about models, and loading and unloading them."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI

from extensions.openai.app import create_app
from modules.engine.protocols import AnyEngine, ReportProgress
from modules.engine.types import LoadSpec
from modules.errors import LoadFailed
from modules.models.loading import Candidate, launch_in_process
from modules.models.state import Status
from modules.runtime import Runtime
from modules.settings.values import Settings
from tests.api.serving import CHAT, RawCall, Served, calling, says, served, until


def lay(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"GGUF")
        os.utime(path, (1_700_000_000, 1_700_000_000))


async def test_the_loaded_model_comes_first_then_its_aliases_then_the_others(tmp_path: Path) -> None:
    lay(tmp_path, "b.gguf", "a.gguf", "org/c.gguf")
    async with served(tmp_path, model_alias=("gpt-local",)) as api:
        body = (await api.http.get("/v1/models")).json()
    assert body["object"] == "list"
    assert [entry["id"] for entry in body["data"]] == ["scripted", "gpt-local", "a.gguf", "b.gguf", "org/c.gguf"]
    loaded, alias, other = body["data"][:3]
    assert loaded["max_model_len"] == loaded["meta"]["n_ctx"] == alias["max_model_len"] == 8192
    assert (loaded["status"], loaded["type"], loaded["loaded_at"]) == ("loaded", "chat", loaded["created"])
    assert loaded["capabilities"] == ["completion", "vision", "audio"]
    assert loaded["architecture"]["input_modalities"] == ["text", "image", "audio"]
    assert other == {
        "id": "a.gguf",
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "user",
        "type": "chat",
        "status": "sleeping",
    }
    assert loaded["created"] > 1_700_000_000


async def test_the_official_client_lists_and_retrieves(tmp_path: Path, client: AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["scripted"]
    assert (await client.models.retrieve("scripted")).owned_by == "user"


async def test_ids_may_hold_slashes(tmp_path: Path) -> None:
    lay(tmp_path, "org/deep/c.gguf")
    async with served(tmp_path) as api:
        assert (await api.http.get("/v1/models/org/deep/c.gguf")).json()["id"] == "org/deep/c.gguf"
        assert (await api.http.get("/v1/models/org%2Fdeep%2Fc.gguf")).status_code == 200
        assert (await api.http.get("/v1/models/org")).status_code == 404


@pytest.mark.parametrize("name", ["../../etc/passwd", "%2e%2e%2fsecret.gguf", "/etc/passwd", ".", "a" * 5000, "a\x00"])
async def test_names_that_are_no_models_are_not_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.gguf").write_text("canary")
    async with served(tmp_path) as api:
        asked = await api.http.get(f"/v1/models/{name}") if name.isprintable() else None
        loaded = await api.post("/v1/internal/model/load", {"model_name": name})
    assert asked is None or asked.status_code < 500
    assert loaded.status_code in {400, 404}
    assert "canary" not in loaded.text + (asked.text if asked else "")


async def test_every_model_name_is_answered_by_the_loaded_model(api: Served) -> None:
    body = (await api.post(CHAT, says("echo: hi", model="gpt-4"))).json()
    assert (body["model"], body["choices"][0]["message"]["content"]) == ("scripted", "hi")


class HeldLaunch:
    """Loads half of a model, and the rest when told to."""

    def __init__(self) -> None:
        self.is_released = asyncio.Event()
        self.is_half = asyncio.Event()

    async def __call__(self, spec: LoadSpec) -> Candidate:
        return HeldCandidate(self, await launch_in_process(spec))


class HeldCandidate:
    def __init__(self, launch: HeldLaunch, candidate: Candidate) -> None:
        self._launch = launch
        self._candidate = candidate

    pid = None

    async def load(self, report: ReportProgress) -> AnyEngine:
        report(0.5)
        self._launch.is_half.set()
        await self._launch.is_released.wait()
        return await self._candidate.load(report)

    async def aclose(self) -> None:
        await self._candidate.aclose()


async def test_health_tells_how_far_a_load_is(tmp_path: Path) -> None:
    launch = HeldLaunch()
    async with Runtime(Settings(loader="scripted", user_data_dir=tmp_path), launch=launch) as runtime:
        transport = httpx2.ASGITransport(create_app(runtime))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            await launch.is_half.wait()
            loading = await http.get("/health")
            assert (loading.status_code, loading.json()) == (503, {"status": "loading model", "progress": 0.5})
            launch.is_released.set()
            await until(runtime, Status.READY)
            ready = await http.get("/health")
            assert (ready.status_code, ready.json()) == (200, {"status": "ok"})


async def test_internal_state(api: Served) -> None:
    assert (await api.http.get("/v1/internal/health")).json() == {"status": "ok"}
    info = (await api.http.get("/v1/internal/model/info")).json()
    assert info == {
        "model_name": "scripted",
        "lora_names": [],
        "loader": "scripted",
        "context_length": 8192,
        "modalities": ["text", "image", "audio"],
        "recommended_sampling": {},
        "projector": None,
    }
    assert (await api.http.get("/v1/internal/model/list")).json() == {"model_names": ["scripted"]}
    assert (await api.http.get("/v1/billing/usage")).json() == {"total_usage": 0}


@pytest.mark.parametrize("key", ["args", "settings"])
async def test_a_model_is_unloaded_and_loaded_with_other_options(api: Served, key: str) -> None:
    unloaded = await api.http.post("/v1/internal/model/unload")
    assert unloaded.json() == "OK"
    assert (await api.http.get("/v1/internal/model/info")).json()["model_name"] == "None"
    assert (await api.post(CHAT, says("echo: hi"))).status_code == 503
    args = {"ctx_size": 512, "flash_attn": True, "cache_type": "q8_0"}
    loaded = await api.post("/v1/internal/model/load", {"model_name": "scripted", key: args})
    assert (loaded.status_code, loaded.json()) == (200, "OK")
    assert (await api.http.get("/v1/models")).json()["data"][0]["max_model_len"] == 512


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "model_name"),
        ({"model_name": "nothing.gguf"}, 404, "model"),
        ({"model_name": "scripted", "args": {"trust_remote_code": True}}, 400, "args.trust_remote_code"),
        ({"model_name": "scripted", "args": {"extra_flags": "--rpc x"}}, 400, "args.extra_flags"),
        ({"model_name": "scripted", "args": {"ctx_size": "many"}}, 400, "args.ctx_size"),
        ({"model_name": "scripted", "args": {"cache_disk": 1}}, 400, "args.cache_disk"),
        ({"model_name": "scripted", "settings": {"cache_disk": "0.5"}}, 400, "args.cache_disk"),
        ({"model_name": "scripted", "settings": {"unknown": 1}}, 400, "args.unknown"),
        ({"model_name": "scripted", "instruction_template": "nothing"}, 400, "instruction_template"),
        ({"model_name": "scripted", "instruction_template": "../Alpaca"}, 400, "instruction_template"),
        ({"model_name": "scripted", "ctx_size": 512}, 400, "ctx_size"),
    ],
)
async def test_a_load_that_cannot_be_leaves_the_model(
    api: Served, body: dict[str, Any], status: int, param: str
) -> None:
    response = await api.post("/v1/internal/model/load", body)
    assert (response.status_code, response.json()["error"]["param"]) == (status, param)
    assert (await api.http.get("/v1/internal/model/info")).json()["model_name"] == "scripted"


async def test_a_file_that_is_no_model_is_a_clean_failure(tmp_path: Path) -> None:
    async def refuse(spec: LoadSpec) -> Candidate:
        if spec.name == "broken.gguf":
            raise LoadFailed("broken.gguf is no valid GGUF file.")
        return await launch_in_process(spec)

    lay(tmp_path, "broken.gguf")
    async with served(tmp_path, launch=refuse) as api:
        response = await api.post("/v1/internal/model/load", {"model_name": "broken.gguf"})
        assert (response.status_code, response.json()["error"]["code"]) == (500, "model_load_failed")
        assert response.headers["x-should-retry"] == "false"
        assert (await api.post(CHAT, says("echo: still here"))).status_code == 200


async def test_a_dead_engine_comes_back_for_the_next_request(api: Served) -> None:
    call = RawCall(api.app, CHAT, json.dumps(says("stall", stream=True)).encode())
    async with api.runtime.models.lease(None) as engine, calling(call) as running:
        await call.until_says("waiting")
        await engine.aclose()
        await running
    assert (await api.http.get("/health")).status_code == 200
    assert (await api.post(CHAT, says("echo: back"))).json()["choices"][0]["message"]["content"] == "back"


async def test_template_given_at_load_stands_until_the_next_load(api: Served) -> None:
    async def prompt() -> str:
        return str((await api.post("/v1/internal/chat-prompt", says("hi"))).json()["prompt"])

    load: dict[str, Any] = {"model_name": "scripted", "instruction_template_str": "[{{ messages[0].content }}]"}
    assert (await api.post("/v1/internal/model/load", load)).json() == "OK"
    assert await prompt() == "[hi]"
    load = {"model_name": "scripted", "settings": {"instruction_template": "Alpaca"}}
    assert (await api.post("/v1/internal/model/load", load)).json() == "OK"
    assert "### Instruction:\nhi" in await prompt()
    assert (await api.post("/v1/internal/model/load", {"model_name": "scripted"})).json() == "OK"
    assert "<|im_start|>" in await prompt()


async def test_a_model_that_is_not_there_is_named(api: Served) -> None:
    for name, shown in (("gpt-4o", "'gpt-4o'"), ("org/ü", ascii("org/ü")), ("a" * 5000, "a" * 200)):
        error = (await api.http.get(f"/v1/models/{name}")).json()["error"]
        assert (error["code"], error["param"]) == ("model_not_found", "model")
        assert shown in error["message"]
        assert len(error["message"]) < 400
