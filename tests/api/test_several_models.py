"""Several models through the API: named, listed, loaded, unloaded, kept and refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from modules.engine.types import ModelKind
from modules.models.state import Status
from tests.api.serving import CHAT, TEXT, Served, says, served

A, B = "a.gguf", "b.gguf"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    """Room for two of scripted, a.gguf and b.gguf."""
    (tmp_path / "models").mkdir()
    for name in (A, B):
        (tmp_path / "models" / name).write_bytes(b"GGUF")
    async with served(tmp_path, models_max=2) as api:
        yield api


async def statuses(api: Served) -> dict[str, str]:
    return {entry["id"]: entry["status"] for entry in (await api.http.get("/v1/models")).json()["data"]}


async def until_status(api: Served, name: str, status: str) -> None:
    async for _ in api.runtime.models.changes():
        if (await statuses(api))[name] == status:
            return


BODIES: dict[str, dict[str, Any]] = {
    CHAT: says("echo: hi", max_tokens=5),
    TEXT: {"prompt": "echo: hi", "max_tokens": 5},
    "/v1/responses": {"input": "echo: hi"},
    "/v1/messages": says("echo: hi", max_tokens=5),
}


@pytest.mark.parametrize("path", BODIES)
async def test_a_request_is_answered_by_the_model_it_names(api: Served, path: str) -> None:
    for name, answering in ((A, A), ("a", A), ("gpt-4o", "scripted"), (B, B)):
        response = await api.post(path, BODIES[path] | {"model": name})
        assert (response.status_code, response.json()["model"]) == (200, answering)
    assert await statuses(api) == {"scripted": "loaded", B: "loaded", A: "sleeping"}


async def test_a_load_adds_and_an_unload_takes_one(api: Served) -> None:
    loaded = await api.post("/v1/internal/model/load", {"model_name": A, "args": {"ctx_size": 512}})
    assert loaded.status_code == 200
    entries = {entry["id"]: entry for entry in (await api.http.get("/v1/models")).json()["data"]}
    assert [entries[name]["max_model_len"] for name in ("scripted", A)] == [8192, 512]
    for name, status in ((A, 200), (A, 200), (B, 200), ("nothing", 404)):
        assert (await api.post("/v1/internal/model/unload", {"model_name": name})).status_code == status
    assert await statuses(api) == {"scripted": "loaded", A: "sleeping", B: "sleeping"}
    for body in ({}, {"model_name": None}):
        assert (await api.post("/v1/internal/model/unload", body)).status_code == 200
    assert set((await statuses(api)).values()) == {"sleeping"}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("field", ["keep_alive", "ttl"])
async def test_a_request_says_how_long_its_model_stays(api: Served, path: str, field: str) -> None:
    response = await api.post(path, BODIES[path] | {"model": A, field: 0})
    assert (response.status_code, response.json()["model"]) == (200, A)
    async with asyncio.timeout(10):
        await until_status(api, A, "sleeping")
    assert (await api.post(path, BODIES[path] | {"model": A, field: None})).status_code == 200


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("value", ['"5m"', '"300"', '""', "true", "[]", "{}", "[5]", "1e400", "NaN", "-Infinity"])
async def test_what_is_no_number_of_seconds_is_refused(api: Served, path: str, value: str) -> None:
    raw = json.dumps(BODIES[path] | {"keep_alive": 0}).replace('"keep_alive": 0', f'"keep_alive": {value}')
    response = await api.http.post(path, content=raw, headers={"content-type": "application/json"})
    assert response.status_code == 400


async def test_tokens_are_those_of_the_model_that_is_named(api: Served) -> None:
    await api.post("/v1/internal/model/load", {"model_name": A, "args": {"ctx_size": 512}})
    for path, body in (
        ("/tokenize", {"prompt": "hi"}),
        ("/detokenize", {"tokens": [104]}),
        ("/v1/internal/encode", {"text": "hi"}),
        ("/v1/internal/decode", {"tokens": [104]}),
        ("/v1/internal/token-count", {"text": "hi"}),
        ("/v1/internal/logits", {"prompt": "echo: hi"}),
        ("/v1/internal/chat-prompt", says("hi")),
        ("/v1/messages/count_tokens", says("hi")),
    ):
        await api.post("/v1/internal/model/unload", {"model_name": B})
        assert (await api.post(path, {**body, "model": B})).status_code == 200, path
        assert (await statuses(api))[B] == "loaded", path
    assert (await api.http.get("/tokenizer_info", params={"model": A})).json()["model_max_length"] == 512


async def test_health_is_good_while_any_model_answers(api: Served) -> None:
    models = api.runtime.models
    async with models.lease(A) as engine:
        await engine.aclose()
    assert (await api.http.get("/health")).json() == {"status": "ok"}
    text = (await api.http.get("/metrics")).text
    assert 'llm_model_loaded{model="scripted"} 1.0' in text
    assert 'llm_model_loaded{model="a.gguf"} 0.0' in text
    assert {state.status for state in models.models} == {Status.READY, Status.FAILED}
    assert {state.kind for state in models.models} == {ModelKind.CHAT}


async def test_no_room_beside_pinned_models_is_a_clean_refusal(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / A).write_bytes(b"GGUF")
    async with served(tmp_path, models_max=1, model_swap=True, pin=("scripted",)) as api:
        asked = await api.post(CHAT, says("echo: hi", model=A, stream=True))
        loaded = await api.post("/v1/internal/model/load", {"model_name": A})
        for response in (asked, loaded):
            error = response.json()["error"]
            assert (response.status_code, error["code"]) == (503, "no_room_for_model")
            assert "pin" in error["message"]
        assert (await api.post(CHAT, says("echo: hi"))).json()["model"] == "scripted"


async def test_what_cannot_fit_is_a_clean_refusal(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    async with served(tmp_path, loader=None, models_memory=0.01) as api:
        (tmp_path / "models" / A).write_bytes(b"GGUF")
        response = await api.post("/v1/internal/model/load", {"model_name": "a", "args": {"loader": "scripted"}})
    assert response.status_code == 503
    assert "memory" in response.json()["error"]["message"]
