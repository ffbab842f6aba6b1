"""Models loaded, swapped and unloaded while clients talk, and files that are none."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.live.client import (
    CHAT,
    DONE,
    TEXT,
    ask,
    endless,
    expect_right_answer,
    finish_of,
    pulse,
    repeating,
    rest_of,
    says,
    streaming,
    text_of,
    until_text,
)
from tests.live.server import LiveServer, live_server
from tests.model_files import GEMMA, QWEN, SMOLLM2, model_path

pytestmark = [pytest.mark.live, pytest.mark.model]

HALF, NOISE, EMPTY, TEXT_FILE = "half.gguf", "noise.gguf", "empty.gguf", "text.gguf"
BROKEN = (HALF, NOISE, EMPTY, TEXT_FILE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    folder = tmp_path_factory.mktemp("server")
    models = folder / "models"
    models.mkdir()
    for name in (SMOLLM2, QWEN, GEMMA):
        (models / name).symlink_to(model_path(name))
    write_broken_files(models)
    async with live_server(folder, "--model-dir", models, "--ctx-size", 2048) as running:
        yield running


def write_broken_files(folder: Path) -> None:
    whole = model_path(SMOLLM2)
    with whole.open("rb") as file:
        (folder / HALF).write_bytes(file.read(whole.stat().st_size // 2))
    (folder / NOISE).write_bytes(b"GGUF" + os.urandom(5000))
    (folder / EMPTY).write_bytes(b"")
    (folder / TEXT_FILE).write_text("This is no model.\n" * 100)


async def load(http: httpx.AsyncClient, name: str, **args: object) -> httpx.Response:
    return await http.post("/v1/internal/model/load", json={"model_name": name, "args": args})


async def test_list_and_info_name_what_there_is(http: httpx.AsyncClient) -> None:
    listed = (await http.get("/v1/internal/model/list")).json()
    info = (await http.get("/v1/internal/model/info")).json()
    assert set(listed["model_names"]) == {SMOLLM2, QWEN, GEMMA, *BROKEN}
    assert info == {
        "model_name": SMOLLM2,
        "lora_names": [],
        "loader": "llama.cpp",
        "context_length": 2048,
        "modalities": ["text"],
        "projector": None,
        "recommended_sampling": {},
    }


async def test_models_loaded_one_after_the_other_each_answer(http: httpx.AsyncClient) -> None:
    """One of them, Gemma, has no chat template and attends within a sliding window."""
    for name in (QWEN, GEMMA, SMOLLM2):
        assert (await load(http, name, ctx_size=1024)).status_code == 200
        assert (await http.get("/v1/internal/model/info")).json()["model_name"] == name
        assert (await http.get("/v1/models")).json()["data"][0]["id"] == name
        text = await ask(http, {"prompt": "1, 2, 3, 4, 5, 6,", "max_tokens": 6, "temperature": 0}, TEXT)
        assert text_of(text).startswith("7, 8")
        reply = await ask(http, says("What is the capital of France? Answer in one word.", max_tokens=24))
        assert reply["model"] == name
        assert "Paris" in text_of(reply)


async def test_a_swap_waits_for_the_stream_that_runs(http: httpx.AsyncClient) -> None:
    async with streaming(http, endless(250)) as events:
        await until_text(events)
        swap = asyncio.create_task(load(http, QWEN))
        rest = await rest_of(events)
        assert not swap.done()
    assert finish_of(rest) == ["length"]
    assert rest[-1] == DONE
    assert (await swap).status_code == 200
    assert (await expect_right_answer(http, 2024))["model"] == QWEN


async def test_requests_during_a_load_wait_and_are_answered_by_the_new_model(http: httpx.AsyncClient) -> None:
    assert (await load(http, QWEN)).status_code == 200
    swap = asyncio.create_task(load(http, SMOLLM2))
    while (await http.get("/health")).status_code == 200:
        assert not swap.done(), "the load was over before /health said so"
    answers = await asyncio.gather(*(expect_right_answer(http, number) for number in range(700, 710)))
    assert {answer["model"] for answer in answers} == {SMOLLM2}
    assert (await swap).status_code == 200


async def test_health_tells_the_progress_of_a_load_and_never_stalls(
    server: LiveServer, http: httpx.AsyncClient
) -> None:
    async with pulse(server) as beats:
        assert (await load(http, QWEN)).status_code == 200
    loading = [beat for beat in beats if beat.status == 503]
    progress = [beat.body["progress"] for beat in loading]
    assert loading
    assert progress == sorted(progress)
    assert all(beat.body["status"] == "loading model" for beat in loading)
    # A second and more of loading, with an answer every twentieth of it.
    assert len(loading) > 3


async def test_two_loads_at_once_run_one_after_the_other(server: LiveServer, http: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(load(http, QWEN), load(http, SMOLLM2))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(server.processes()) == 2
    await expect_right_answer(http, 13)


async def test_unload_waits_for_the_stream_that_runs_and_gives_the_process_back(
    server: LiveServer, http: httpx.AsyncClient
) -> None:
    async with streaming(http, endless(80)) as events:
        await until_text(events)
        unload = asyncio.create_task(http.post("/v1/internal/model/unload"))
        assert finish_of(await rest_of(events)) == ["length"]
    assert (await unload).status_code == 200
    assert [process.pid for process in server.processes()] == [server.process.pid]
    assert (await http.get("/v1/internal/model/info")).json()["model_name"] == "None"
    refused = await http.post(CHAT, json=repeating(1))
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "model_not_loaded")
    assert (await http.get("/health")).status_code == 200
    assert (await load(http, SMOLLM2)).status_code == 200
    await expect_right_answer(http, 31)


@pytest.mark.parametrize("name", BROKEN)
async def test_a_file_that_is_no_model_is_a_clean_error_and_the_model_before_stays(
    server: LiveServer, http: httpx.AsyncClient, name: str
) -> None:
    before = server.model_process()
    async with streaming(http, endless(40)) as events:
        await until_text(events)
        refused = await load(http, name)
        rest = await rest_of(events)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (500, "model_load_failed")
    assert name in error["message"]
    assert str(model_path(SMOLLM2).parent) not in error["message"]
    assert finish_of(rest) == ["length"]
    assert server.model_process() == before
    assert (await expect_right_answer(http, 55))["model"] == SMOLLM2


async def test_an_unknown_name_is_404_and_names_the_nearest(http: httpx.AsyncClient) -> None:
    for name in (SMOLLM2.replace("135", "136"), f"../{SMOLLM2}", str(model_path(SMOLLM2))):
        refused = await load(http, name)
        assert (refused.status_code, refused.json()["error"]["type"]) == (404, "invalid_request_error")
    await expect_right_answer(http, 66)


async def test_unknown_and_impossible_arguments_are_named(http: httpx.AsyncClient) -> None:
    for args in ({"ctx_sise": 512}, {"ctx_size": -1}, {"cache_type": "q1"}):
        refused = await load(http, SMOLLM2, **args)
        assert refused.status_code == 400, refused.text
        assert refused.json()["error"]["param"] == f"args.{next(iter(args))}"


@pytest.mark.parametrize(
    ("args", "words"),
    [({"split_mode": "tensor"}, "graphics card"), ({"cache_type": "q8_0", "flash_attn": "off"}, "flash attention")],
)
async def test_options_that_cannot_work_leave_the_model_that_runs(
    server: LiveServer, http: httpx.AsyncClient, args: dict[str, str], words: str
) -> None:
    await expect_right_answer(http, 44)
    before = server.model_process()
    refused = await load(http, SMOLLM2, **args)
    assert (refused.status_code, refused.json()["error"]["code"]) == (500, "model_load_failed")
    assert words in refused.json()["error"]["message"]
    assert server.model_process() == before
    await expect_right_answer(http, 45)


async def test_a_caller_who_gives_up_does_not_break_the_load(server: LiveServer, http: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await http.post("/v1/internal/model/load", json={"model_name": QWEN}, timeout=httpx.Timeout(60, read=0.01))
    await server.until_healthy()
    assert (await expect_right_answer(http, 88))["model"] in {QWEN, SMOLLM2}
    assert (await load(http, SMOLLM2)).status_code == 200
